using System.Diagnostics;
using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>The first two fenced <c>sh</c> blocks of the README are the two commands a newcomer runs.</summary>
public class ReadmeTests
{
    [Test]
    public void First_command_runs_an_existing_project()
    {
        string[] words = Command(0).Split(' ');
        Assert.That(words.Take(3), Is.EqualTo(["dotnet", "run", "--project"]));
        Assert.That(Directory.EnumerateFiles(Repository.Path(words[3]), "*.csproj").Count(), Is.EqualTo(1), words[3]);
        Assert.That(words, Does.Contain("--"), "arguments of the program follow --");
        var verbs = Spk.Cli.SpkCommand.Create().Subcommands.Select(verb => verb.Name);
        Assert.That(verbs, Does.Contain(words[Array.IndexOf(words, "--") + 1]));
    }

    [Test]
    public void Second_command_runs_the_tests_without_the_slow_ones()
    {
        string command = Command(1);
        Assert.That(command, Does.StartWith("dotnet test "));
        Assert.That(command, Does.Contain("TestCategory!=Slow"));
        Assert.That(Directory.EnumerateFiles(Repository.Root, "*.slnx").Count(), Is.EqualTo(1), "what dotnet test finds in the root");
    }

    [Test]
    [Category("Slow")]
    [CancelAfter(300_000)]
    public async Task First_command_trains_and_writes_a_report(CancellationToken stop)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Command(0)])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(stop);
        var error = process.StandardError.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        Assert.That(process.ExitCode, Is.Zero, await error);
        Assert.That(await output, Does.Contain("EER").And.Contain("report.html"));
    }

    private static string Command(int index)
    {
        string[] blocks = [.. Markdown.Blocks("README.md", "sh")];
        Assert.That(blocks, Has.Length.GreaterThanOrEqualTo(2), "fenced sh blocks of README.md");
        Assert.That(blocks[index].Split('\n'), Has.Length.EqualTo(1), "one command a block");
        return blocks[index];
    }
}
