using NUnit.Framework;
using Spk.Cli;
using Spk.Cli.Terminal;
using Spk.Tests.Support;
using Spk.Training.Benchmarks;

namespace Spk.Tests.Cli;

public class BenchTests
{
    private static readonly string[] Short = ["bench", "mix_noise", "--budget", "0.02", "--device", "cpu", "--threads", "1"];

    [TestCase("bench --fail-over 10", "--baseline")]
    [TestCase("bench --baseline x --fail-over 0", "above 0")]
    [TestCase("bench --budget 0", "0 s")]
    [TestCase("bench convolve_rif", "'convolve_rif'", "--list")]
    [TestCase("bench convolve_rir --precision fp31", "'fp31'")]
    public void Wrong_usage_is_one_sentence(string line, params string[] words) => CommandLine.Run(line.Split(' ')).AssertRefused(ExitCode.Usage, words);

    [Test]
    public void The_list_names_what_can_be_timed()
    {
        var run = CommandLine.Run("bench", "--list");
        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Output, Does.Contain("sgemm").And.Contain("pretrain_step").And.Contain("k-means"));
    }

    [Test]
    public void The_command_beside_results_can_be_typed_again()
    {
        using var folder = new TemporaryFolder();
        string file = folder.At("chosen.json");
        var run = CommandLine.Run([.. Short, "sgemm [M 256", "stats_pool_forward [batch 16, frames 200, channels 512]", "--save", file, "--rounds", "1"]);
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(BenchmarkFile.Read(file).Machine["command"], Is.EqualTo(
            "spk bench mix_noise --budget 0.02 --device cpu --threads 1 'sgemm [M 256' 'stats_pool_forward [batch 16, frames 200, channels 512]' --rounds 1"));
        Assert.That(TypedCommand.Quoted("it's"), Is.EqualTo("'it'\\''s'"));
    }

    [Test]
    public void A_planted_slowdown_fails_and_the_same_speed_does_not()
    {
        using var folder = new TemporaryFolder();
        string same = folder.At("same.json"), faster = folder.At("faster.json"), other = folder.At("other.json");
        var first = CommandLine.Run([.. Short, "--save", same]);
        Assert.That(first.Code, Is.Zero, first.Error);
        Assert.That(BenchmarkFile.Read(same).Machine["command"], Is.EqualTo("spk bench mix_noise --budget 0.02 --device cpu --threads 1"), "no paths of this machine");
        Assert.That(BenchmarkFile.Read(same).Machine.Keys, Is.SupersetOf(new[] { "processor", "threads", "vectors", "memory", "runtime", "date", "at most", "cache" }));
        Assert.That(first.Error, Does.Contain("mix_noise").And.Contain("of bound").And.Contain("0 B"));

        // A machine that was a thousand times as fast makes this one a thousand times slower, whatever disturbs the test.
        var file = BenchmarkFile.Read(same);
        (file with { Results = [.. file.Results.Select(r => r with { Least = r.Least / 1000, Fast = r.Fast / 1000, Processor = r.Processor / 1000 })] }).Write(faster);
        var slower = CommandLine.Run([.. Short, "--baseline", faster, "--fail-over", "10"]);
        Assert.That(slower.Code, Is.EqualTo(ExitCode.Failure));
        Assert.That(slower.Output, Does.Contain("SLOWER").And.Contain("1 compared, 1 slower by more than 10 %"));

        Assert.That(CommandLine.Run([.. Short, "--baseline", faster]).Code, Is.Zero, "without --fail-over it only tells");
        var alike = CommandLine.Run([.. Short, "--baseline", same, "--fail-over", "900", "--json"]);
        Assert.That(alike.Code, Is.Zero);
        Assert.That(alike.Json.GetProperty("compared")[0].GetProperty("slower").GetBoolean(), Is.False);

        (file with { Results = [.. file.Results.Select(r => r with { Cold = true })] }).Write(other);
        CommandLine.Run([.. Short, "--baseline", other]).AssertRefused(ExitCode.Failure, other, "none of the cases");
    }

    [Test]
    public void Curves_and_pages_come_from_their_verbs()
    {
        using var folder = new TemporaryFolder();
        Assert.That(CommandLine.Run("bench", "scaling", "--list").Output, Does.Contain("kmeans-clusters"));
        string section = Directory.CreateDirectory(folder.At("results", "10-growth")).FullName;
        File.WriteAllText(Path.Combine(section, "intro.md"), "## Growth");
        var curves = CommandLine.Run("bench", "scaling", "--save", Path.Combine(section, "scaling.json"), "--report", folder.At("page.html"), "--json", "search", "--quick", "--device", "cpu", "--threads", "1");
        Assert.That(curves.Code, Is.Zero, curves.Error);
        Assert.That(curves.Json.GetProperty("curves")[0].GetProperty("points").GetArrayLength(), Is.EqualTo(4));
        Assert.That(curves.Json.GetProperty("machine").GetProperty("command").GetString(), Is.EqualTo("spk bench scaling search --quick --device cpu --threads 1"));
        Assert.That(File.ReadAllText(folder.At("page.html")), Does.Contain("search-profiles"));

        var page = CommandLine.Run("bench", "report", folder.At("results"));
        Assert.That(page.Code, Is.Zero, page.Error);
        Assert.That(page.Output, Does.Contain("## Growth").And.Contain("`search-profiles`"));
        Assert.That(CommandLine.Run("bench", "report", folder.At("results"), "--out", folder.At("page.md")).Output, Does.Contain("1 drawings"));
        Assert.That(File.ReadAllText(folder.At("page.md")), Is.EqualTo(page.Output.Replace("(benchmarks/", "(page/", StringComparison.Ordinal)));
        CommandLine.Run("bench", "report", folder.At("none")).AssertRefused(ExitCode.Failure, "no such folder");
        CommandLine.Run("bench", "scaling", "kmaens").AssertRefused(ExitCode.Usage, "'kmaens'");
    }

    [Test]
    public void Missing_files_are_found_before_anything_is_measured()
    {
        using var folder = new TemporaryFolder();
        CommandLine.Run([.. Short, "--baseline", folder.At("none.json")]).AssertRefused(ExitCode.Failure, "none.json", "--save");
        CommandLine.Run([.. Short, "--peers", folder.At("none.json")]).AssertRefused(ExitCode.Failure, "none.json");
    }
}
