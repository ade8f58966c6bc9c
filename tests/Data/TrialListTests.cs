using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class TrialListTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [TestCase("1 a b\r\n0 a c\n\n")]
    [TestCase("a b target\na c nontarget\n")]
    [TestCase("\uFEFF1\ta  b\n0 ./a c")]
    public void Both_styles_are_read(string text)
    {
        var list = TrialList.Read(_folder.Text("t.txt", text));

        Assert.That(list.Trials, Is.EqualTo(new[] { new Trial(true, "a", "b"), new Trial(false, "a", "c") }));
        Assert.That(list.Utterances, Is.EqualTo(new[] { "a", "b", "c" }));
        Assert.That(list.Targets, Is.EqualTo(1));
    }

    [TestCase("1 a b\n2 a c\n", "line 2", "'2 a c'")]
    [TestCase("1 a b\na c target\n", "line 2", "'1 enrolment test'")]
    [TestCase("a b target\n\n1 a c\n", "line 3", "'enrolment test target'")]
    [TestCase("1 a\n", "line 1", "'1 a'")]
    [TestCase("\n", "no trials", "t.txt")]
    public void Faults_name_the_line(string text, string first, string second)
    {
        string message = Assert.Throws<DataFormatException>(() => TrialList.Read(_folder.Text("t.txt", text)))!.Message;
        Assert.That(message, Does.Contain(first).And.Contain(second));
    }

    [Test]
    public void Missing_file_is_one_sentence() =>
        Assert.That(Assert.Throws<DataFormatException>(() => TrialList.Read(_folder.At("no.txt")))!.Message, Does.Contain("no.txt does not exist"));

    [Test]
    public void Written_list_reads_back()
    {
        var list = new TrialList([new Trial(false, "a", "b"), new Trial(true, "c", "d")]);
        list.Write(_folder.At("t.txt"));
        Assert.That(TrialList.Read(_folder.At("t.txt")).Trials, Is.EqualTo(list.Trials));
    }

    [Test]
    public void Unusable_lists_are_refused()
    {
        var known = new HashSet<string> { "a", "b" };
        new TrialList([new Trial(false, "a", "b"), new Trial(true, "a", "a")]).RequireUsable(known);
        Assert.That(
            Assert.Throws<DataFormatException>(() => new TrialList([new Trial(true, "a", "b")]).RequireUsable(known))!.Message,
            Does.Contain("1 target and 0 non-target"));
        Assert.That(
            Assert.Throws<DataFormatException>(() => new TrialList([new Trial(true, "a", "x"), new Trial(false, "y", "b")]).RequireUsable(known))!.Message,
            Does.Contain("names 2 utterances").And.Contain("'x'"));
    }
}
