using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Cluster;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class KMeansInitTests(TestDevice on)
{
    private const int Count = 400, Dimension = 6;

    [Test]
    public void Chooses_distinct_rows_of_scale_above_zero([Values] KMeansInitialization kind, [Values(1, 10, 100)] int percent, [Values(0UL, 9UL)] ulong seed)
    {
        // Up to all rows that may be chosen. An emulated step is slow, so that there are fewer of them.
        int every = on.IsCuda ? 20 : 2, clusters = Math.Max(1, Count / every * percent / 100);
        using var device = on.Open();
        float[] rows = Samples.Normal(1, Count * Dimension);
        float[] scales = [.. Enumerable.Range(0, Count).Select(i => i % every == 1 ? 1f : 0f)];
        int[] chosen = Chosen(rows, Init(device, rows, scales, kind, clusters, seed));
        Assert.That(chosen, Has.Length.EqualTo(clusters).And.Unique);
        Assert.That(chosen, Is.All.Matches<int>(i => i % every == 1));
    }

    [Test]
    public void Starts_and_seeds_differ_and_threads_do_not([Values] KMeansInitialization kind)
    {
        float[] rows = Samples.Normal(1, Count * Dimension);
        using var one = on.Open(1);
        using var three = on.Open(3);
        int clusters = on.IsCuda ? 5 : 15;
        float[] first = Init(one, rows, null, kind, clusters, 1);
        Assert.Multiple(() =>
        {
            Assert.That(Init(three, rows, null, kind, clusters, 1), Is.EqualTo(first));
            Assert.That(Init(one, rows, null, kind, clusters, 2), Is.Not.EqualTo(first));
            Assert.That(Init(one, rows, null, kind, clusters, 1, start: 1), Is.Not.EqualTo(first));
        });
    }

    [Test]
    public void Distances_steer_the_choice([Values(KMeansInitialization.PlusPlus, KMeansInitialization.Parallel)] KMeansInitialization kind)
    {
        // 398 copies of one row and two far ones: whatever comes first, the three distinct rows are chosen.
        using var device = on.Open();
        float[] rows = new float[Count * Dimension];
        rows.AsSpan(7 * Dimension, Dimension).Fill(100);
        rows.AsSpan(300 * Dimension, Dimension).Fill(-100);
        for (ulong seed = 0; seed < 10; seed++)
        {
            float[] values = [.. Init(device, rows, null, kind, 3, seed).Where((_, i) => i % Dimension == 0)];
            Assert.That(values, Is.EquivalentTo(new[] { 0f, 100f, -100f }));
        }
    }

    [Test]
    public void Weights_steer_the_first_choice_of_plus_plus()
    {
        using var device = on.Open();
        float[] rows = Samples.Normal(1, Count * Dimension), scales = new float[Count];
        Array.Fill(scales, 1e-6f);
        scales[123] = 1;
        int hits = Enumerable.Range(0, 50).Count(seed => Chosen(rows, Init(device, rows, scales, KMeansInitialization.PlusPlus, 1, (ulong)seed))[0] == 123);
        Assert.That(hits, Is.EqualTo(50));
    }

    [Test]
    public void Too_few_rows_are_refused([Values] KMeansInitialization kind)
    {
        using var device = on.Open();
        float[] rows = Samples.Normal(1, Count * Dimension), scales = new float[Count];
        scales.AsSpan(0, 4).Fill(1);
        Assert.That(() => Init(device, rows, scales, kind, 5, 1), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("only 4 rows"));
    }

    private static float[] Init(Device device, float[] rows, float[]? scales, KMeansInitialization kind, int clusters, ulong seed, int start = 0)
    {
        var centroids = device.Workspace.Rent(new Shape(clusters, Dimension));
        KMeansInit.Forward(
            device,
            Samples.Constant(device, new Shape(Count, Dimension), rows),
            scales is null ? null : Samples.Constant(device, new Shape(Count), scales),
            ClusterMetric.Euclidean,
            kind,
            0,
            seed,
            start,
            centroids);
        return Samples.Read(centroids);
    }

    private static int[] Chosen(float[] rows, float[] centroids) =>
    [
        .. Enumerable.Range(0, centroids.Length / Dimension).Select(k =>
            Enumerable.Range(0, Count).First(i => rows.AsSpan(i * Dimension, Dimension).SequenceEqual(centroids.AsSpan(k * Dimension, Dimension)))),
    ];
}
