using NUnit.Framework;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Tests.Models;

public class AtomicFileTests
{
    private string _folder = "", _path = "";

    [SetUp]
    public void MakeFolder()
    {
        _folder = Directory.CreateTempSubdirectory("spk-atomic").FullName;
        _path = Path.Combine(_folder, "file.txt");
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void A_file_is_replaced_and_nothing_else_is_left()
    {
        AtomicFile.WriteText(_path, "old and longer");
        AtomicFile.WriteLines(_path, ["ä", "b"]);
        Assert.That(File.ReadAllBytes(_path), Is.EqualTo("ä\nb\n"u8.ToArray()));
        Assert.That(Directory.GetFileSystemEntries(_folder), Has.Length.EqualTo(1));
    }

    [Test]
    public void Missing_folders_are_made()
    {
        string deep = Path.Combine(_folder, "runs", "a", "report.html");
        AtomicFile.WriteText(deep, "x");
        Assert.That(File.ReadAllText(deep), Is.EqualTo("x"));
    }

    [Test]
    public void Until_the_commit_the_old_file_stands()
    {
        AtomicFile.WriteText(_path, "old");
        using (var file = AtomicFile.Create(_path))
        {
            file.Stream.Write("new"u8);
            file.Stream.Flush();
            Assert.That(File.ReadAllText(_path), Is.EqualTo("old"));
        }

        Assert.That(File.ReadAllText(_path), Is.EqualTo("old"));
        Assert.That(Directory.GetFileSystemEntries(_folder), Has.Length.EqualTo(1));
    }

    [TestCase(typeof(IOException))]
    [TestCase(typeof(InvalidOperationException))]
    public void A_failure_in_the_middle_keeps_the_old_file(Type kind)
    {
        AtomicFile.WriteText(_path, "old");
        var thrown = Assert.Catch(() => AtomicFile.Write(_path, stream =>
        {
            stream.Write(new byte[1 << 20]);
            throw (Exception)Activator.CreateInstance(kind, "the cable was pulled")!;
        }));
        Assert.That(thrown, Is.TypeOf(kind == typeof(IOException) ? typeof(SpkException) : kind));
        Assert.That(thrown!.Message, Does.Contain("the cable was pulled"));
        Assert.That(File.ReadAllText(_path), Is.EqualTo("old"));
        Assert.That(Directory.GetFileSystemEntries(_folder), Has.Length.EqualTo(1), "the temporary file is removed");
    }

    [Test]
    public void A_full_disk_is_named_and_the_old_file_kept()
    {
        AtomicFile.WriteText(_path, "old");
        var full = new IOException("No space left on device", OperatingSystem.IsWindows() ? unchecked((int)0x80070070) : 28);
        Assert.That(
            () => AtomicFile.Write(_path, _ => throw full),
            Throws.TypeOf<SpkException>().With.Message.Contains("disk is full").And.Message.Contains(_path).And.Message.Contains("unchanged"));
        Assert.That(File.ReadAllText(_path), Is.EqualTo("old"));
    }

    [Test]
    public void A_device_without_space_gives_the_same_sentence_and_stays_a_device()
    {
        if (!File.Exists("/dev/full"))
        {
            Assert.Ignore("skipped: this system has no /dev/full");
        }

        Assert.That(
            () => AtomicFile.Write("/dev/full", stream => stream.Write(new byte[100])),
            Throws.TypeOf<SpkException>().With.Message.Contains("cannot write /dev/full").And.Message.Contains("disk is full"));
        AtomicFile.WriteText("/dev/null", "goes nowhere");
        Assert.That(new FileInfo("/dev/null").Length, Is.Zero);
    }

    [Test]
    public void Places_that_cannot_be_written_are_named()
    {
        AtomicFile.WriteText(_path, "a file");
        string below = Path.Combine(_path, "x.txt");
        Assert.That(() => AtomicFile.WriteText(below, ""), Throws.TypeOf<SpkException>().With.Message.Contains(below));
        Assert.That(() => AtomicFile.WriteText(_folder, ""), Throws.TypeOf<SpkException>().With.Message.Contains("is a folder"));
    }

    [Test]
    public void A_folder_without_permission_is_named()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("skipped: permissions do not bind this user");
            return;
        }

        File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            Assert.That(() => AtomicFile.WriteText(_path, ""), Throws.TypeOf<SpkException>().With.Message.Contains("permission is denied"));
        }
        finally
        {
            File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Test]
    public void A_link_stays_a_link()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("skipped: links need a privilege here");
        }

        string link = Path.Combine(_folder, "latest");
        AtomicFile.WriteText(_path, "old");
        File.CreateSymbolicLink(link, _path);
        AtomicFile.WriteText(link, "new");
        Assert.That(File.ReadAllText(_path), Is.EqualTo("new"));
        Assert.That(new FileInfo(link).LinkTarget, Is.EqualTo(_path));
    }
}
