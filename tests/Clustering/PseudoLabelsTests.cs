using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Interop;

namespace Spk.Tests.Clustering;

public class PseudoLabelsTests
{
    // Two directions with two centroids each, and one centroid that no row chose, between them.
    private static readonly float[] Centroids = [10, 1, 1, 1, 20, 3, 1, 10, 1, 12];

    [Test]
    public void Rows_take_the_label_of_their_joined_centroid()
    {
        var result = PseudoLabels.FromCentroids(Centroids, 2, [4, 0, 2, 3, 0, 4], new PseudoLabelOptions { Clusters = 2 });
        Assert.Multiple(() =>
        {
            Assert.That(result.CentroidLabels.ToArray(), Is.EqualTo(new[] { 0, -1, 0, 1, 1 }));
            Assert.That(result.Labels.ToArray(), Is.EqualTo(new[] { 1, 0, 0, 1, 0, 1 }));
            Assert.That(result.Clusters, Is.EqualTo(2));
            Assert.That(result.Dendrogram.Leaves, Is.EqualTo(4));
        });
    }

    [Test]
    public void Length_counts_only_where_centroids_are_left_as_they_are()
    {
        int[] labels = [0, 2, 3, 4];
        Assert.That(PseudoLabels.FromCentroids(Centroids, 2, labels, new PseudoLabelOptions { Clusters = 3 }).Labels.ToArray(), Is.EqualTo(new[] { 0, 1, 2, 2 }));

        // As they are, (10, 1) lies nearer to (1, 10) and (1, 12) than to (40, 6).
        float[] lengths = [10, 1, 1, 1, 40, 6, 1, 10, 1, 12];
        Assert.That(PseudoLabels.FromCentroids(lengths, 2, labels, new PseudoLabelOptions { Clusters = 2, UnitLength = false }).Labels.ToArray(), Is.EqualTo(new[] { 0, 1, 0, 0 }));
        Assert.That(PseudoLabels.FromCentroids(lengths, 2, labels, new PseudoLabelOptions { Clusters = 2 }).Labels.ToArray(), Is.EqualTo(new[] { 0, 0, 1, 1 }));
    }

    [Test]
    public void Weights_hold_large_clusters_apart()
    {
        // On a line at 0, 3 and 7: the nearest pair is 0 and 3, unless both are heavy.
        float[] centroids = [0, 3, 7];
        int[] labels = [.. Enumerable.Repeat(0, 50), .. Enumerable.Repeat(1, 50), 2];
        var options = new PseudoLabelOptions { Clusters = 2, UnitLength = false };
        Assert.That(PseudoLabels.FromCentroids(centroids, 1, labels, options).CentroidLabels.ToArray(), Is.EqualTo(new[] { 0, 0, 1 }));
        Assert.That(PseudoLabels.FromCentroids(centroids, 1, labels, options with { Weighted = true }).CentroidLabels.ToArray(), Is.EqualTo(new[] { 0, 1, 1 }));
    }

    [Test]
    public void Joining_centroids_finds_speakers_better_than_as_many_centroids_cut_through_them()
    {
        // 12 clouds, each cut into 10 pieces around its own rows: the recipe puts the pieces together again.
        var (rows, truth) = FeatureMetricsTests.Blobs(31, 1200, 24, 12, spread: 0.25f, offset: 0);
        float[] centroids = rows[..(120 * 24)];
        int[] labels = [.. Enumerable.Range(0, 1200).Select(i => Nearest(rows.AsSpan(i * 24, 24), centroids))];
        var result = PseudoLabels.FromCentroids(centroids, 24, labels, new PseudoLabelOptions { Clusters = 12 });
        Assert.That(LabelMetrics.Compare(truth, labels).Completeness, Is.LessThan(0.7));
        Assert.That(LabelMetrics.Compare(truth, result.Labels).Completeness, Is.EqualTo(1).Within(1e-12));
    }

    [Test]
    public void Impossible_requests_are_refused()
    {
        Assert.That(() => PseudoLabels.FromCentroids(Centroids, 2, [0, 5], new PseudoLabelOptions { Clusters = 1 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("row 1 is 5"));
        Assert.That(() => PseudoLabels.FromCentroids(Centroids, 2, [0, 1], new PseudoLabelOptions { Clusters = 3 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("have rows, 2"));
        Assert.That(() => PseudoLabels.FromCentroids(Centroids, 2, []), Throws.TypeOf<ShapeException>());
    }

    private static int Nearest(ReadOnlySpan<float> row, float[] centroids)
    {
        int best = 0;
        double least = double.PositiveInfinity;
        for (int k = 0; k < centroids.Length / row.Length; k++)
        {
            double sum = 0;
            for (int d = 0; d < row.Length; d++)
            {
                double difference = row[d] - centroids[(k * row.Length) + d];
                sum += difference * difference;
            }

            (best, least) = sum < least ? (k, sum) : (best, least);
        }

        return best;
    }
}
