using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Evaluation;
using Spk.Tests.Support;
using Spk.Training.Reports;

namespace Spk.Tests.Reports;

public class EmbeddingMapTests
{
    [Test]
    public void Pca_finds_the_plane_that_holds_the_points()
    {
        // Points a·u + b·v in 7 dimensions with orthonormal u, v and a spread wider than b: the projection is (a, b) up to signs.
        const int Count = 50, Dimension = 7;
        double[] u = [0.6, 0.8, 0, 0, 0, 0, 0], v = [0, 0, 0.6, 0, 0, -0.8, 0];
        var values = new float[Count * Dimension];
        var a = Samples.Normal(1, Count, 5f);
        var b = Samples.Normal(2, Count, 1f);
        // Uncorrelated by construction, else the principal axes are not u and v.
        double along = Enumerable.Range(0, Count).Sum(i => (a[i] - a.Average()) * (b[i] - b.Average())) / a.Sum(x => (x - a.Average()) * (x - a.Average()));
        float mean = a.Average();
        b = [.. b.Select((x, i) => (float)(x - (along * (a[i] - mean))))];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)((a[i / Dimension] * u[i % Dimension]) + (b[i / Dimension] * v[i % Dimension]) + 3);
        }

        var plane = EmbeddingMap.Pca(values, Dimension);
        for (int i = 0; i < Count; i++)
        {
            Assert.That(Math.Abs(plane[2 * i]), Is.EqualTo(Math.Abs(a[i] - a.Average())).Within(1e-4));
            Assert.That(Math.Abs(plane[(2 * i) + 1]), Is.EqualTo(Math.Abs(b[i] - b.Average())).Within(1e-4));
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(3)]
    [TestCase(5)]
    public void Few_or_equal_points_give_finite_places(int count)
    {
        Assert.That(EmbeddingMap.Pca(new float[count * 4], 4), Is.EqualTo(new double[2 * count]));
        double[] plane = TSne.Run(new float[count * 4], 4);
        Assert.That(plane, Has.Length.EqualTo(2 * count));
        Assert.That(plane, Is.All.Matches<double>(double.IsFinite));
    }

    [Test]
    public void Affinities_have_the_wanted_perplexity_and_sum_to_one()
    {
        const int Count = 60, Dimension = 5;
        double[] p = TSne.Affinities(Samples.Normal(6, Count * Dimension), Dimension, Count, perplexity: 10);
        Assert.That(p.Sum(), Is.EqualTo(1).Within(1e-9));
        // Symmetrised rows no longer have the perplexity exactly, their mean stays near it.
        double mean = Enumerable.Range(0, Count).Average(i =>
        {
            double row = Enumerable.Range(0, Count).Sum(j => p[(i * Count) + j]);
            return Math.Exp(-Enumerable.Range(0, Count).Where(j => j != i).Sum(j => p[(i * Count) + j] / row * Math.Log(p[(i * Count) + j] / row)));
        });
        Assert.That(mean, Is.EqualTo(10).Within(3));
    }

    [Test]
    public void TSne_keeps_speakers_together_and_repeats_exactly()
    {
        var (_, table) = TrialEvaluationTests.Voices(speakers: 12, utterances: 8, noise: 0.5f);
        var map = EmbeddingMap.Compute(table);
        Assert.That(EmbeddingMap.Compute(table), Is.EqualTo(map));
        int right = map.Count(p => map.Where(q => q != p).MinBy(q => ((p.X - q.X) * (p.X - q.X)) + ((p.Y - q.Y) * (p.Y - q.Y))).Speaker == p.Speaker);
        Assert.That(right / (double)map.Count, Is.GreaterThan(0.95), "nearest neighbours on the map are of the same speaker");
    }

    [Test]
    public void Large_tables_are_thinned_by_whole_speakers_of_every_group()
    {
        var (_, table) = TrialEvaluationTests.Voices(speakers: 40, utterances: 5, noise: 0.5f);
        var map = EmbeddingMap.Compute(table, EmbeddingMapMethod.Pca, maximumPoints: 52);
        Assert.That(map, Has.Count.EqualTo(50));
        Assert.That(map.GroupBy(p => p.Speaker).Select(g => g.Count()), Is.All.EqualTo(5));
        Assert.That(map.Select(p => p.Speaker[..2]).Distinct(), Is.EquivalentTo(new[] { "so", "ar" }));
    }

    [Test]
    public void Wrong_shapes_and_options_are_refused()
    {
        Assert.That(() => EmbeddingMap.Pca(new float[5], 2), Throws.TypeOf<ShapeException>());
        Assert.That(() => TSne.Run(new float[4], 2, perplexity: 0), Throws.TypeOf<InvalidOptionException>());
    }
}
