using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using Spk.Cli;
using Spk.Cli.Terminal;
using Spk.Cli.Verbs;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Training.Benchmarks;

namespace Spk.Tests.Cli;

public class BenchProcessTests
{
    private static readonly BenchmarkOptions Short = new() { Cases = ["mix_noise", "stats_pool_forward ["], Threads = 1, Budget = 0.01 };

    private static readonly MachineCeilings Ceilings = new(1e9, 1e9, 0, 0, "invented");

    [Test]
    public void Results_are_those_of_a_run_in_this_process()
    {
        var reported = new List<BenchmarkResult>();
        var results = BenchProcess.Measure(Short, Ceilings, reported.Add, Assert.Fail, CancellationToken.None);
        Assert.That(reported, Is.EqualTo(results));
        foreach (var (there, here) in results.Zip(BenchmarkRun.Measure(Short, Ceilings), (a, b) => (a, b)))
        {
            Assert.That(there.Key, Is.EqualTo(here.Key));
            Assert.That((there.Bytes, there.Operations, there.Work, there.Unit), Is.EqualTo((here.Bytes, here.Operations, here.Work, here.Unit)));
            Assert.That(there.ShareOfBound, Is.EqualTo(Ceilings.Bound(there.Bytes, there.Operations, Precision.Fp32) / there.Median).Within(1e-12));
            Assert.That(there.Least, Is.GreaterThan(0).And.LessThanOrEqualTo(there.Median));
            Assert.That(there.Pace, Is.Not.Null);
        }

        Assert.That(results, Has.Count.EqualTo(2));
    }

    [Test]
    public void What_the_process_says_reaches_the_user()
    {
        var remarks = new List<string>();
        BenchProcess.Measure(Short with { Cases = ["mix_noise", "mix_noise [none"] }, null, _ => { }, remarks.Add, CancellationToken.None);
        Assert.That(remarks.Single(), Does.StartWith("mix_noise [none: this device has no case"));
        Assert.That(
            () => BenchProcess.Measure(Short with { Cases = ["kmeans_batch"] }, null, _ => { }, _ => { }, CancellationToken.None),
            Throws.TypeOf<SpkException>().With.Message.Contains("exit code 2").And.Message.Contains("need a GPU").And.Message.Not.Contains("error:"));
    }

    [Test]
    public void It_ends_with_the_signal_to_stop()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        var clock = Stopwatch.StartNew();
        Assert.That(() => BenchProcess.Measure(Short with { Budget = 3600 }, null, _ => { }, _ => { }, stop.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromMinutes(30)), "it waited for the hour that was asked for");
    }

    [Test]
    [Platform("Linux")]
    public void A_listener_that_fails_ends_it()
    {
        const string Budget = "2.0123"; // Nobody else asks for that, and the second case takes as long.
        Assert.That(
            () => BenchProcess.Measure(
                Short with { Budget = double.Parse(Budget, CultureInfo.InvariantCulture) },
                null,
                _ => throw new InvalidOperationException(AtWork(Budget) ? "the listener" : "it is not seen at work"),
                _ => { },
                CancellationToken.None),
            Throws.InvalidOperationException.With.Message.EqualTo("the listener"));
        Assert.That(() => AtWork(Budget), Is.False.After(1500, 20), "the process works on for nobody");
    }

    [Test]
    public void What_is_typed_for_the_process_is_what_it_reads()
    {
        var root = new RootCommand();
        foreach (var option in GlobalOptions.All)
        {
            root.Options.Add(option);
        }

        var worker = new Command("worker");
        var options = new BenchOptions(worker);
        root.Subcommands.Add(worker);
        var asked = Short with { Budget = 0.1 + 0.2, Cold = true, Precisions = [Precision.Tf32, Precision.Bf16], Device = "cuda:1", Threads = 3 };
        var parsed = root.Parse(["worker", .. BenchOptions.Typed(asked)]);
        Assert.That(parsed.Errors, Is.Empty);
        using var interruption = new Interruption();
        var read = options.Read(parsed, new CommandContext(parsed, TextWriter.Null, TextWriter.Null, interruption), isCpu: false);
        Assert.That(read with { Cases = asked.Cases, Precisions = asked.Precisions }, Is.EqualTo(asked));
        Assert.That(read.Cases, Is.EqualTo(asked.Cases));
        Assert.That(read.Precisions, Is.EqualTo(asked.Precisions));
        Assert.That(new BenchWorkerVerb().Hidden, "nobody types it");
    }

    [Test]
    public void Every_round_is_measured_and_kept()
    {
        var run = CommandLine.Run("bench", "mix_noise", "--budget", "0.02", "--device", "cpu", "--threads", "1", "--rounds", "3", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("results").GetArrayLength(), Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("round 3 of 3"));
        Assert.That(run.Json.GetProperty("results")[2].GetProperty("share_of_bound").GetDouble(), Is.GreaterThan(0));
    }

    [Test]
    [NonParallelizable]
    public void Rounds_after_the_first_are_processes_of_their_own()
    {
        // A hook that is missing ends every process that starts from now on.
        const string Hooks = "DOTNET_STARTUP_HOOKS";
        string? before = Environment.GetEnvironmentVariable(Hooks);
        Environment.SetEnvironmentVariable(Hooks, Path.Combine(TestContext.CurrentContext.TestDirectory, "missing.dll"));
        try
        {
            Assert.That(CommandLine.Run("bench", "mix_noise", "--budget", "0.02", "--device", "cpu", "--threads", "1").Code, Is.Zero);
            CommandLine.Run("bench", "mix_noise", "--budget", "0.02", "--device", "cpu", "--threads", "1", "--rounds", "2")
                .AssertRefused(ExitCode.Failure, "The process that repeats measurements ended with exit code 134", "no reason");
        }
        finally
        {
            Environment.SetEnvironmentVariable(Hooks, before);
        }
    }

    private static bool AtWork(string word) => Directory.GetDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])).Any(folder =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "cmdline")).Split('\0').Contains(word);
        }
        catch (IOException)
        {
            return false; // It ended meanwhile.
        }
    });
}
