using NUnit.Framework;
using Spk.Cli;
using Spk.Cli.Terminal;

namespace Spk.Tests.Cli;

/// <summary>What a mistyped command line is answered with.</summary>
public class UsageTests
{
    [TestCase("pretrian recipe.yaml", "pretrian", "did you mean pretrain?")]
    [TestCase("eval runs/a --trails t.txt", "--trails", "did you mean --trials?")]
    [TestCase("doctor --jsno", "--jsno", "did you mean --json?")]
    [TestCase("doctor surplus", "Unknown argument 'surplus'")]
    [TestCase("xyzzy", "Unknown verb 'xyzzy'")]
    [TestCase("doctor --threads many", "--threads takes a whole number, not 'many'")]
    [TestCase("doctor --threads", "a value after --threads")]
    [TestCase("data", "'spk data' needs a verb: check, pack, synth")]
    [TestCase("align", "'spk align' needs a verb: train, apply, eval")]
    [TestCase("pretrain", "RECIPE", "--out DIR")]
    [TestCase("pretrain recipe.yaml", "--out DIR")]
    [TestCase("pretrain --out runs/x --set a=b recipe.yaml", "put the recipe before --set")]
    [TestCase("pretrain recipe.yaml --out runs/x --set a=b other", "key=value, not 'other'")]
    [TestCase("pretrain recipe.yaml --out runs/x --seed -1", "--seed takes a whole number, not '-1'")]
    [TestCase("data check m.csv --channels stereo", "--channels takes mono, first or mean, not 'stereo'")]
    public void Wrong_usage_is_one_sentence(string line, params string[] words) =>
        CommandLine.Run(line.Split(' ')).AssertRefused(ExitCode.Usage, words);

    [TestCase("")]
    [TestCase("--help")]
    public void Root_help_lists_verbs_examples_and_exit_codes(string line)
    {
        var run = CommandLine.Run(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Multiple(() =>
        {
            Assert.That(run.Code, Is.Zero);
            Assert.That(run.Error, Is.Empty);
            foreach (string word in new[] { "demo", "data", "pretrain", "embed", "score", "eval", "inspect", "doctor", "Examples:", "Exit codes:", "130" })
            {
                Assert.That(run.Output, Does.Contain(word));
            }
        });
    }

    public static IEnumerable<TestCaseData> Verbs() =>
        Descend(SpkCommand.Create()).Select(verb => new TestCaseData(verb).SetArgDisplayNames(verb.Name));

    [TestCaseSource(nameof(Verbs))]
    public void Every_verb_has_help_with_examples_that_parse(object verb)
    {
        var command = (Verb)verb;
        string[] path = command.Parents.OfType<System.CommandLine.Command>().FirstOrDefault() is { } group and not System.CommandLine.RootCommand ? [group.Name, command.Name] : [command.Name];
        var run = CommandLine.Run([.. path, "--help"]);
        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Output, Does.Contain("Examples:").And.Contain("Exit codes:"));
        foreach (string example in command.Examples)
        {
            Assert.That(example, Does.StartWith("spk ").Or.StartWith("mpirun -n 4 spk "));
            string[] words = example[example.IndexOf("spk ", StringComparison.Ordinal)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.That(words.Skip(1).Take(path.Length), Is.EqualTo(path));
            Assert.That(SpkCommand.Create().Parse(words[1..]).Errors, Is.Empty, example);
        }
    }

    [TestCaseSource(nameof(Verbs))]
    public void Every_option_is_described(object verb) =>
        Assert.That(((Verb)verb).Options.Where(o => string.IsNullOrWhiteSpace(o.Description)).Select(o => o.Name), Is.Empty);

    [TestCase("trails", "trials", 1)]
    [TestCase("", "abc", 3)]
    [TestCase("same", "same", 0)]
    [TestCase("--jsno", "--json", 1)]
    public void Distance_counts_edits(string a, string b, int edits) => Assert.That(UsageError.Distance(a, b), Is.EqualTo(edits));

    [Test]
    public void Version_is_one_line()
    {
        var run = CommandLine.Run("--version");
        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Output.Trim(), Does.Match(@"^\d+\.\d+\.\d+"));
    }

    private static IEnumerable<Verb> Descend(System.CommandLine.Command command) =>
        command.Subcommands.SelectMany(sub => sub is Verb verb ? [verb] : Descend(sub));
}
