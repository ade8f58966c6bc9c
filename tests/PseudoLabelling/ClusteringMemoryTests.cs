using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Models;
using Spk.Tests.Support;
using Spk.Training.PseudoLabelling;

namespace Spk.Tests.PseudoLabelling;

/// <summary>What is printed ahead of clustering against what is taken.</summary>
public class ClusteringMemoryTests
{
    private const long MebiByte = 1 << 20;

    // Whole processes, as only they have a high-water mark of their own; a run on few rows and clusters shows what the program itself takes.
    [TestCase(0.1, 60_000, 256, 300, "--init", "random", "--iterations", "2")]
    [TestCase(0.1, 25_000, 512, 300, "--metric", "cosine", "--iterations", "2", "--silhouette", "0")]
    [TestCase(0.2, 20_000, 128, 8, "--method", "gmm", "--init", "random", "--iterations", "2", "--silhouette", "0")]
    [TestCase(0.2, 6_000, 64, 20, "--method", "ahc", "--silhouette", "0")]
    [TestCase(0.2, 8_000, 256, 20, "--method", "camsat", "--epochs", "1", "--hidden", "16", "--silhouette", "0")]
    public void The_high_water_mark_of_the_process_is_near_the_estimate(double share, int rows, int dimension, int clusters, params string[] options)
    {
        Assume.That(OperatingSystem.IsLinux(), "other systems count the pages of a process differently");
        using var folder = new TemporaryFolder();
        var (_, own) = Run(folder, 200, dimension, 2, options);
        var (estimate, peak) = Run(folder, rows, dimension, clusters, options);
        TestContext.Out.WriteLine(
            $"{rows} x {dimension}, {clusters} {string.Join(' ', options)}: {estimate / MebiByte} MiB were estimated, {(peak - own) / MebiByte} MiB beyond the program's {own / MebiByte} MiB were taken.");
        Assert.That(peak - own, Is.LessThan(1.1 * estimate).And.GreaterThan((1 - share) * estimate));
    }

    [TestCase(true, 0.0)]
    [TestCase(false, 1.0)]
    public void A_network_takes_what_was_estimated(bool unitLength, double infoNce)
    {
        const int rows = 500, dimension = 24;
        var options = new CamsatOptions { Clusters = 70, HiddenWidth = 40, BatchSize = 64, Epochs = 1, UnitLength = unitLength, InfoNceWeight = infoNce };
        float[] values = Samples.Normal(1, rows * dimension);
        foreach (int views in new[] { 0, 3 })
        {
            using var device = new CpuDevice(2);
            Camsat.Fit(values, dimension, options, Samples.Normal(2, views * values.Length), device: device);
            long peak = device.Workspace.PeakBytes, estimate = Camsat.EstimateBytes(rows, dimension, options, views);
            Assert.That(peak, Is.LessThanOrEqualTo(estimate));

            // Cosines of all rows would fill the tile that is counted in full; there are few.
            Assert.That(peak, Is.GreaterThan((estimate - (64 * MebiByte)) / 2));
        }
    }

    [TestCaseSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
    public void K_means_on_a_gpu_takes_what_was_estimated(TestDevice on)
    {
        on.OneOrderIsEnough();
        const int rows = 700, dimension = 40;
        using var device = on.Open();
        float[] values = Samples.Normal(1, rows * dimension);
        foreach (var initialization in new[] { KMeansInitialization.PlusPlus, KMeansInitialization.RandomRows })
        {
            var options = new KMeansOptions { Clusters = 9, Metric = ClusterMetric.Cosine, Initialization = initialization, MaximumIterations = 2 };
            KMeans.Fit(values, dimension, options, device: device);
            long estimate = KMeans.EstimateDeviceBytes(rows, dimension, options);
            Assert.That(device.Workspace.PeakBytes, Is.LessThan(estimate + 8192).And.GreaterThan(rows * dimension * sizeof(float)));
            var memory = ClusteringMemory.Estimate(rows, dimension, new ClusteringSettings { KMeans = options }, device);
            Assert.That(memory.Device, Is.EqualTo(estimate));
        }
    }

    // So wide that a rounded copy of the rows is more than all that the estimate grants beyond what is taken, most of which is for searches that are split
    // among as many blocks as a GPU wants. k-means‖ takes two at a time: that which stays, and its own.
    [TestCaseSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
    public void K_means_on_a_gpu_takes_what_was_estimated_for_rounded_rows(TestDevice on)
    {
        on.OneOrderIsEnough();
        const int rows = 600, dimension = 1024;
        const long rounded = rows * dimension * sizeof(ushort);
        var options = new KMeansOptions { Clusters = 3, Initialization = KMeansInitialization.Parallel, MaximumIterations = 1 };
        float[] values = Samples.Normal(1, rows * dimension);
        using var device = (CudaDevice)on.Open(precision: Precision.Bf16, onWarpgroups: true);
        bool isRounded = false;
        device.Launching = kernel => isRounded |= kernel.Name == "k_means_assign_wgmma";
        KMeans.Fit(values, dimension, options, device: device);
        device.Launching = null;
        Assume.That(isRounded, "skipped, optional: not a GPU of compute capability 9.0 with binaries by NVRTC 12");
        long peak = device.Workspace.PeakBytes, estimate = KMeans.EstimateDeviceBytes(rows, dimension, options);
        TestContext.Out.WriteLine($"{estimate} bytes were estimated, {peak} taken; a copy of the rows is {rounded}.");
        Assert.That(peak, Is.LessThan(estimate + 8192).And.GreaterThan(estimate - rounded + 8192));

        device.Workspace.Trim();
        device.Precision = Precision.Fp32;
        KMeans.Fit(values, dimension, options, device: device);
        Assert.That(peak - device.Workspace.PeakBytes, Is.GreaterThan(2 * rounded).And.LessThan((2 * rounded) + (rounded / 8)), "copies of rows, and of a few centroids");
    }

    [Test]
    public void A_million_embeddings_in_ten_thousand_classes_need_no_matrix_of_both()
    {
        var settings = new ClusteringSettings { KMeans = new KMeansOptions { Clusters = 10_000, Metric = ClusterMetric.Cosine } };
        using var device = new CpuDevice(2);
        var memory = ClusteringMemory.Estimate(1_000_000, 512, settings, device);
        TestContext.Out.WriteLine($"{memory.Host / MebiByte} MiB");
        Assert.That(memory.Host, Is.InRange(1_000_000L * 512 * 4, 2 * 1_000_000L * 512 * 4), "1 M x 10,000 cosines alone are 40 GB");
        var tree = ClusteringMemory.Estimate(1_000_000, 512, settings with { Method = "pseudo", FirstClusters = 50_000 }, device);
        Assert.That(tree.Host - memory.Host, Is.GreaterThan(2L * 50_000 * 50_000), "the distances of 50,000 centroids");
    }

    private static (long Estimate, long Peak) Run(TemporaryFolder folder, int rows, int dimension, int clusters, string[] options)
    {
        NpyFile.Write(folder.At("x.npy"), Samples.Normal(1, rows * dimension), rows, dimension);
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            "exec", Path.Combine(TestContext.CurrentContext.TestDirectory, "spk.dll"), "cluster", folder.At("x.npy"), "--device", "cpu", "--threads", "2", "--k", $"{clusters}", "--json", .. options,
        ];
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var notes = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, notes.Result);
        var said = Regex.Match(notes.Result, $"needs about (\\d+) MiB of host memory to cluster {rows} rows");
        Assert.That(said.Success, notes.Result);
        using var json = JsonDocument.Parse(output);
        return (long.Parse(said.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) * MebiByte, json.RootElement.GetProperty("peakBytes").GetInt64());
    }
}
