using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using NUnit.Framework;
using Spk.Cli;
using Spk.Engine.Models;
using Spk.Tests.Cli;
using Spk.Tests.Clustering;
using Spk.Tests.Support;

namespace Spk.Tests.Collectives;

/// <summary><c>mpirun -n 2 spk cluster</c>, as a user starts it.</summary>
public class MpiClusteringTests
{
    private const int Rows = 1500, Dimension = 6;

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder()
    {
        _folder = new TemporaryFolder();
        NpyFile.Write(_folder.At("x.npy"), Blobs.Rows(3, Rows, Dimension, 8, 0.1f), Rows, Dimension);
    }

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void Two_processes_write_what_one_writes()
    {
        MpiRun.Require();
        Assert.That(CommandLine.Run(Cluster("one.npy", "one-centroids.npy")).Code, Is.Zero);
        var (code, output, error) = MpiRun.Finish(MpiRun.Start(_folder.Root, [.. Cluster("two.npy", "two-centroids.npy"), "--json"]));
        Assert.That(code, Is.Zero, error);
        using (var json = JsonDocument.Parse(output))
        {
            Assert.That(json.RootElement.GetProperty("rows").GetInt32(), Is.EqualTo(Rows), "one object: only rank 0 prints");
            Assert.That(json.RootElement.GetProperty("metrics").GetProperty("silhouette").GetDouble(), Is.GreaterThan(0.5));
        }

        Assert.That(NpyFile.Read(_folder.At("two.npy")).ToInt32(), Is.EqualTo(NpyFile.Read(_folder.At("one.npy")).ToInt32()));
        Close.Assert(NpyFile.ReadSingle(_folder.At("two-centroids.npy")).Values, NpyFile.ReadSingle(_folder.At("one-centroids.npy")).Values, 1e-6, "centroids");
    }

    [Test]
    public void A_process_that_is_killed_ends_the_other_with_one_sentence()
    {
        MpiRun.Require();
        NpyFile.Write(_folder.At("x.npy"), Samples.Normal(1, 40_000 * 32), 40_000, 32);
        var processes = MpiRun.Start(
            _folder.Root, "cluster", _folder.At("x.npy"), "--k", "200", "--restarts", "10000", "--tolerance", "0", "--out", _folder.At("y.npy"), "--device", "cpu", "--threads", "1");
        Assert.That(processes.StandardError.ReadLine(), Is.EqualTo("2 processes work together"));
        Thread.Sleep(300);
        using (var victim = Process.GetProcessById(int.Parse(File.ReadAllText(_folder.At("pid.1")), CultureInfo.InvariantCulture)))
        {
            victim.Kill();
        }

        var patience = Stopwatch.StartNew();
        var (code, _, error) = MpiRun.Finish(processes);
        Assert.That(code, Is.Not.Zero);
        Assert.That(patience.Elapsed, Is.LessThan(TimeSpan.FromSeconds(15)));
        Assert.That(
            error.Split('\n').Where(line => line.StartsWith("error: ", StringComparison.Ordinal)),
            Is.EqualTo(["error: Process 0 ends, because another process has ended or does not answer: nothing was written."]), error);
        Assert.That(File.Exists(_folder.At("y.npy")), Is.False);
    }

    [TestCase("--device cpu --k 3 --method ahc", "--method ahc")]
    [TestCase("--device cpu --sweep 2-4", "--sweep")]
    [TestCase("--device cpu --k 3 --init parallel", "--init parallel")]
    [TestCase("--k 3", "--device auto")]
    public void What_processes_cannot_share_is_refused(string options, string named)
    {
        var (code, output, error) = MpiRun.Believe("none.so", ["cluster", _folder.At("x.npy"), .. options.Split(' ')]);
        new CommandLine(code, output, error).AssertRefused(ExitCode.Usage, $"{named} cannot be used by 2 processes together", "start one process");
    }

    private string[] Cluster(string labels, string centroids) =>
        ["cluster", _folder.At("x.npy"), "--k", "8", "--out", _folder.At(labels), "--centroids", _folder.At(centroids), "--device", "cpu", "--threads", "1", "--quiet"];
}
