using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

public class CamsatTests
{
    private const int Speakers = 6, Each = 20, Dimension = 10, Rows = Speakers * Each;

    // Small enough for the tests, and long enough to learn.
    private static readonly CamsatOptions Small = new()
    {
        Clusters = 10,
        HiddenWidth = 48,
        Epochs = 80,
        BatchSize = 60,
        LearningRate = 3e-3,
        MarginalWeight = 2,
        Seed = 3,
    };

    private static readonly int[] Truth = [.. Enumerable.Range(0, Rows).Select(i => i / Each)];

    [Test]
    public void Camsat_finds_the_speakers_and_imsat_splits_them()
    {
        var (rows, views) = Voices(spread: 0.4f, ofViews: 0.6f);
        var camsat = Camsat.Fit(rows, Dimension, Small, views, Truth);
        var imsat = Camsat.Fit(rows, Dimension, CamsatOptions.Imsat with
        {
            Clusters = 10,
            HiddenWidth = 48,
            Epochs = 80,
            BatchSize = 60,
            LearningRate = 3e-3,
            MarginalWeight = 2,
            Seed = 3,
        }, views, Truth);
        TestContext.Out.WriteLine($"camsat {camsat.Clusters}, {camsat.Epochs[^1].Agreement!.NormalizedMutualInformation}; imsat {imsat.Clusters}, {imsat.Epochs[^1].Agreement!.NormalizedMutualInformation}");
        Assert.Multiple(() =>
        {
            Assert.That(camsat.Epochs[^1].Agreement!.NormalizedMutualInformation, Is.GreaterThan(0.85));
            Assert.That(camsat.Clusters, Is.LessThan(imsat.Clusters));
            Assert.That(camsat.Clusters, Is.LessThanOrEqualTo(1.2 * Speakers));
            Assert.That(imsat.Epochs[^1].Symmetry, Is.NaN);
        });
    }

    [TestCase(1)]
    [TestCase(3)]
    public void The_number_of_threads_changes_no_bit(int threads)
    {
        var (rows, _) = Voices(0.4f, 0);
        var options = Small with { Epochs = 3, RandomMixture = true, InfoNceWeight = 0.5, SupConWeight = 0.5, MixupWeight = 0.5 };
        using var two = new CpuDevice(2);
        using var other = new CpuDevice(threads);
        var (want, got) = (Camsat.Fit(rows, Dimension, options, device: two), Camsat.Fit(rows, Dimension, options, device: other));
        Assert.That(got.Confidences, Is.EqualTo(want.Confidences));
        Assert.That(got.Epochs.Select(e => e.Loss), Is.EqualTo(want.Epochs.Select(e => e.Loss)));
    }

    [Test]
    public void Another_seed_is_another_run_and_the_last_epoch_describes_the_labels()
    {
        var (rows, views) = Voices(0.4f, 0.4f);
        var options = Small with { Epochs = 4 };
        var seen = new List<CamsatEpoch>();
        var first = Camsat.Fit(rows, Dimension, options, views, Truth, progress: new Recorder(seen));
        var second = Camsat.Fit(rows, Dimension, options with { Seed = 4 }, views);
        Assert.Multiple(() =>
        {
            Assert.That(second.Epochs[0].Loss, Is.Not.EqualTo(first.Epochs[0].Loss));
            Assert.That(seen, Is.EqualTo(first.Epochs));
            Assert.That(first.Epochs.Select(e => e.Epoch), Is.EqualTo(new[] { 1, 2, 3, 4 }));
            Assert.That(first.Clusters, Is.EqualTo(first.Labels.Distinct().Count()));
            Assert.That(first.Epochs[^1].Clusters, Is.EqualTo(first.Clusters));
            double entropy = first.Labels.GroupBy(l => l).Sum(g => -(g.Count() / (double)Rows) * Math.Log(g.Count() / (double)Rows));
            Assert.That(first.Epochs[^1].LabelEntropy, Is.EqualTo(entropy).Within(1e-12));
            Assert.That(first.Epochs[^1].Agreement!.Accuracy, Is.EqualTo(LabelMetrics.Compare(Truth, first.Labels).Accuracy));
            Assert.That(first.Confidences, Is.All.InRange(1f / options.Clusters, 1f));
        });
    }

    [Test]
    public void Rows_that_were_trained_on_get_their_labels_again()
    {
        var (rows, views) = Voices(0.4f, 0.4f);
        var result = Camsat.Fit(rows, Dimension, Small with { Epochs = 5 }, views);
        float[] confidences = new float[Rows];
        Assert.That(result.Predict(rows, confidences), Is.EqualTo(result.Labels));
        Assert.That(confidences, Is.EqualTo(result.Confidences));
        Assert.That(result.Predict(rows.AsSpan(0, 2 * Dimension)), Is.EqualTo(result.Labels[..2]));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Radii_are_the_distances_to_the_neighbour(bool unitLength)
    {
        var (rows, _) = Voices(0.4f, 0);
        using var device = new CpuDevice(2);
        var bank = CamsatData.Upload(device, rows, Dimension, unitLength);
        float[] points = Samples.Read(bank), got = Samples.Read(NeighbourDistance.Of(bank, 10, unitLength));
        double[] want = [.. Enumerable.Range(0, Rows).Select(i => Enumerable.Range(0, Rows).Where(j => j != i).Select(j => Distance(points, i, j)).Order().ElementAt(9))];
        Close.Assert(got, want, 1e-4, "distances to the tenth neighbour");
    }

    [Test]
    public void A_caller_gets_its_workspace_back()
    {
        var (rows, _) = Voices(0.4f, 0);
        using var device = new CpuDevice(1);
        long before = device.Workspace.UsedBytes;
        Camsat.Fit(rows, Dimension, Small with { Epochs = 1 }, device: device);
        Assert.That(device.Workspace.UsedBytes, Is.EqualTo(before));
        Assert.That(device.Memory.Persistent, Is.Zero);
    }

    [Test]
    public void Steps_allocate_nothing()
    {
        var (rows, views) = Voices(0.4f, 0.4f);
        var options = Small with { RandomMixture = true, MarginalShare = 0.5, InfoNceWeight = 1, SupConWeight = 1, MixupWeight = 1 };
        using var device = new CpuDevice(2);
        var run = new CamsatRun(device, CamsatData.Load(device, rows, Dimension, options, views), Dimension, options, default);
        Allocations.AssertNone(() => run.Train(1));
    }

    [Test]
    public void It_can_be_cancelled()
    {
        var (rows, _) = Voices(0.4f, 0);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.That(() => Camsat.Fit(rows, Dimension, Small, cancellation: stop.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void What_cannot_be_is_said_in_one_sentence()
    {
        var (rows, views) = Voices(0.4f, 0.4f);
        float[] broken = [.. views];
        broken[7] = float.NaN;
        Assert.Multiple(() =>
        {
            Assert.That(() => Camsat.Fit(rows, Dimension, Small with { Clusters = 1 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("clusters = 1"));
            Assert.That(() => Camsat.Fit(rows, Dimension, Small with { MarginalShare = 2 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("marginalShare"));
            Assert.That(() => Camsat.Fit(rows, Dimension, Small with { LearningRate = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("learningRate"));
            Assert.That(() => Camsat.Fit(rows, Dimension, Small, rows), Throws.TypeOf<ShapeException>().With.Message.Contains("V of 2 or more"));
            Assert.That(() => Camsat.Fit(rows, Dimension, Small, broken), Throws.TypeOf<NonFiniteException>().With.Message.Contains("views"));
            Assert.That(() => Camsat.Fit(rows.AsSpan(0, 2 * Dimension), Dimension, Small), Throws.TypeOf<ShapeException>().With.Message.Contains("at least 3"));
            Assert.That(() => Camsat.Fit(rows, Dimension, Small, truth: [1, 2]), Throws.TypeOf<ShapeException>());
        });
    }

    /// <summary>Gaussian speakers, and four views of every row.</summary>
    internal static (float[] Rows, float[] Views) Voices(float spread, float ofViews)
    {
        float[] centres = Samples.Normal(1, Speakers * Dimension), rows = Samples.Normal(2, Rows * Dimension, spread);
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] += centres[(i / Dimension / Each * Dimension) + (i % Dimension)];
        }

        float[] views = Samples.Normal(3, 4 * rows.Length, ofViews);
        for (int i = 0; i < views.Length; i++)
        {
            views[i] += rows[i % rows.Length];
        }

        return (rows, views);
    }

    private static double Distance(float[] points, int i, int j)
    {
        double sum = 0;
        for (int d = 0; d < Dimension; d++)
        {
            double difference = (double)points[(i * Dimension) + d] - points[(j * Dimension) + d];
            sum += difference * difference;
        }

        return Math.Sqrt(sum);
    }

    private sealed class Recorder(List<CamsatEpoch> seen) : IProgress<CamsatEpoch>
    {
        public void Report(CamsatEpoch value) => seen.Add(value);
    }
}

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class CamsatOnCudaTests(TestDevice on)
{
    [Test]
    public void The_first_steps_are_those_of_the_cpu()
    {
        var (rows, views) = CamsatTests.Voices(0.4f, 0.4f);
        rows = rows[..(24 * 10)];
        float[] some = [.. Enumerable.Range(0, 2).SelectMany(v => views.Skip(v * 120 * 10).Take(rows.Length))];
        var options = new CamsatOptions { Clusters = 5, HiddenWidth = 9, HiddenLayers = 1, Epochs = 1, BatchSize = 12, MarginalShare = 0.5, Seed = 1 };
        using var cpu = new CpuDevice(2);
        using var cuda = on.Open();
        var (want, got) = (Camsat.Fit(rows, 10, options, some, device: cpu), Camsat.Fit(rows, 10, options, some, device: cuda));
        Close.Assert(got.Confidences, Samples.ToDouble(want.Confidences), 1e-4, "confidences");
        Assert.That(got.Epochs[0].Loss, Is.EqualTo(want.Epochs[0].Loss).Within(1e-4));
    }
}
