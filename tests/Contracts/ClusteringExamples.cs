using System.Numerics.Tensors;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>The examples of docs/clustering.md and the README's, compiled and run; <see cref="DocumentationTests"/> compares the text.</summary>
public class ClusteringExamples
{
    [Test]
    public void Readme()
    {
        var (embeddings, dimension) = Groups(2000);
        var (newEmbeddings, _) = Groups(10);
        // float[] embeddings: rows of `dimension` numbers each, from anywhere.
        var options = new KMeansOptions { Clusters = 20, Metric = ClusterMetric.Cosine, Restarts = 5, Seed = 1 };
        var result = KMeans.Fit(embeddings, dimension, options);
        for (int k = 0; k < result.Clusters; k++)
        {
            Console.WriteLine($"cluster {k}: {result.Counts[k]} rows");
        }

        int[] labels = KMeans.Predict(newEmbeddings, dimension, result.Centroids, result.Metric);
        var scores = FeatureMetrics.Scores(embeddings, dimension, result.Labels, result.Metric, silhouetteSample: 2000);
        Console.WriteLine($"inertia {result.Inertia:G6}, silhouette {scores?.Silhouette:0.000}");
        Assert.That(labels, Has.Length.EqualTo(10));
    }

    [Test]
    public void K_means()
    {
        var (rows, dimension) = Groups(400);
        var result = KMeans.Fit(rows, dimension, new KMeansOptions { Clusters = 8, Metric = ClusterMetric.Cosine, Restarts = 5, Seed = 1 });
        for (int k = 0; k < result.Clusters; k++)
        {
            Console.WriteLine($"cluster {k}: {result.Counts[k]} rows");
        }

        Console.WriteLine($"inertia {result.Inertia:G6} after {result.Iterations} iterations: {result.Stop}");
        int first = result.Labels[0];                       // cluster of the first row
        ReadOnlySpan<float> centroid = result.Centroid(first);
        Assert.That(result.Clusters, Is.EqualTo(8));
        Assert.That(centroid.Length, Is.EqualTo(dimension));
    }

    [Test]
    public void Labels_of_new_rows()
    {
        var (rows, dimension) = Groups(100);
        var (newRows, _) = Groups(30);
        var result = KMeans.Fit(rows, dimension, new KMeansOptions { Clusters = 4 });
        float[] similarity = new float[newRows.Length / dimension];
        int[] labels = KMeans.Predict(newRows, dimension, result.Centroids, result.Metric, similarity);
        Assert.That(labels, Has.Length.EqualTo(30));
        Assert.That(similarity, Has.Length.EqualTo(30));
    }

    [Test]
    public void Sweep()
    {
        var (rows, dimension) = Groups(400);
        var options = new KMeansOptions { Restarts = 3 };
        var sweep = KMeans.SweepK(rows, dimension, [2, 4, 8, 16], options, silhouetteSample: Math.Min(5000, rows.Length / dimension));
        foreach (var point in sweep)
        {
            Console.WriteLine($"K = {point.Clusters}: inertia {point.Result.Inertia:G6}, silhouette {point.Scores?.Silhouette:0.000}, "
                + $"Calinski-Harabasz {point.Scores?.CalinskiHarabasz:G5}, Davies-Bouldin {point.Scores?.DaviesBouldin:0.000}");
        }

        var best = sweep.MaxBy(point => point.Scores?.Silhouette ?? -1)!.Result;
        Assert.That(best.Clusters, Is.EqualTo(8));
    }

    [Test]
    public void Batch()
    {
        int dimension = 6;
        ReadOnlyMemory<float>[] dialogues = [.. Enumerable.Range(20, 30).Select(count => (ReadOnlyMemory<float>)Groups(count).Rows)];
        var problems = new List<KMeansProblem>();
        foreach (var dialogue in dialogues)   // ReadOnlyMemory<float>, [N, D] each
        {
            problems.Add(new KMeansProblem(dialogue, dimension, Clusters: 2));
        }

        var results = KMeans.FitBatch(problems, new KMeansOptions { Metric = ClusterMetric.Cosine, MaximumIterations = 20 });
        int[] labelsOfFirst = results[0].Labels;
        Assert.That(results, Has.Count.EqualTo(30));
        Assert.That(labelsOfFirst, Has.Length.EqualTo(20));
    }

    [Test]
    public void Kinds_of_matrices()
    {
        float[] rows = [0, 0, 0, 1, 9, 9];
        int dimension = 2;
        var options = new KMeansOptions { Clusters = 2 };
        float[,] square = { { 0, 0 }, { 0, 1 }, { 9, 9 } };
        float[][] jagged = [[0, 0], [0, 1], [9, 9]];
        var tensor = new ReadOnlyTensorSpan<float>(rows, [rows.Length / dimension, dimension]);   // System.Numerics.Tensors
        int[] a = KMeans.Fit(square, options).Labels;
        int[] b = KMeans.Fit(jagged, options).Labels;
        int[] c = KMeans.Fit(tensor, options).Labels;
        Assert.That(b, Is.EqualTo(a));
        Assert.That(c, Is.EqualTo(a));
    }

    [Test]
    public void Weights_start_progress_and_cancellation()
    {
        var (rows, dimension) = Groups(60);
        float[] weights = [.. Enumerable.Repeat(1f, 60)];
        var options = new KMeansOptions { Clusters = 3, MaximumTime = TimeSpan.FromMinutes(5), EmptyClusters = EmptyClusterPolicy.Keep };
        var progress = new Progress<KMeansProgress>(p => Console.WriteLine($"{p.Iteration}: {p.Inertia:G6}, {p.ChangedRows} rows moved"));
        using var stop = new CancellationTokenSource();
        var result = KMeans.Fit(rows, dimension, options, initialCentroids: rows.AsSpan(0, 3 * dimension), weights, null, progress, stop.Token);
        Assert.That(result.Counts.Sum(), Is.EqualTo(60));
    }

    [Test]
    public void Device_and_memory()
    {
        var (rows, dimension) = Groups(60);
        var options = new KMeansOptions { Clusters = 3, MaximumScratchBytes = 2L << 30 };
        Console.WriteLine($"takes {KMeans.EstimateScratchBytes(rows.Length / dimension, dimension, options) >> 10} KiB on the CPU");
        using var device = Device.Open("auto");   // Spk.Engine.Devices; "cpu", "cuda" or "cuda:1" are never replaced by another
        var result = KMeans.Fit(rows, dimension, options, device: device);
        Assert.That(result.Counts.Sum(), Is.EqualTo(60));
    }

    [Test]
    public void Compare_with_known_speakers()
    {
        int[] speakers = [0, 0, 1, 1, 2, 2], clusters = [5, 5, 7, 7, 7, 9];
        var agreement = LabelMetrics.Compare(speakers, clusters);
        Console.WriteLine($"completeness {agreement.Completeness:0.000}");
        Console.WriteLine($"NMI {agreement.NormalizedMutualInformation:0.000}");
        Console.WriteLine($"accuracy {agreement.Accuracy:0.000} of {agreement.Clusters} clusters");
        Assert.That(agreement.Classes, Is.EqualTo(3));
    }

    [Test]
    public void Several_measures_of_one_table()
    {
        int[] speakers = [0, 0, 1, 1, 2, 2], clusters = [5, 5, 7, 7, 7, 9];
        var table = ContingencyTable.Build(speakers, clusters);
        double purity = LabelMetrics.Purity(table);
        double rand = LabelMetrics.AdjustedRandIndex(table);
        int shared = table.Count(0, 1);   // points of the first class in the second cluster
        Assert.That(purity, Is.EqualTo(5.0 / 6).Within(1e-12));
        Assert.That(rand, Is.InRange(0, 1));
        Assert.That(shared, Is.Zero);
    }

    [Test]
    public void Judge_without_labels()
    {
        var (rows, dimension) = Groups(10_000);
        int[] labels = [.. Enumerable.Range(0, 10_000).Select(row => row % 8)];
        double silhouette = FeatureMetrics.Silhouette(rows, dimension, labels, ClusterMetric.Cosine);
        double estimate = FeatureMetrics.SilhouetteSampled(rows, dimension, labels, sampleSize: 10_000, seed: 1);
        double calinski = FeatureMetrics.CalinskiHarabasz(rows, dimension, labels);
        double davies = FeatureMetrics.DaviesBouldin(rows, dimension, labels);
        Assert.That(estimate, Is.EqualTo(FeatureMetrics.Silhouette(rows, dimension, labels)), "a sample of all rows");
        Assert.That(new[] { silhouette, calinski, davies }, Is.All.Positive);
    }

    [Test]
    public void Mixture()
    {
        var (rows, dimension) = Groups(600);
        var (newRows, _) = Groups(40);
        var start = KMeans.Fit(rows, dimension, new KMeansOptions { Clusters = 64 });
        var mixture = GaussianMixture.FitFromLabels(rows, dimension, start.Labels);
        int[] labels = mixture.Labels;
        float[] spread = mixture.Variances;
        int[] more = mixture.Predict(newRows);
        Assert.That(labels.Length + more.Length, Is.EqualTo(640));
        Assert.That(spread, Is.All.Positive);
    }

    [Test]
    public void Tree()
    {
        var (rows, dimension) = Groups(16);
        var options = new AgglomerativeOptions { Linkage = Linkage.Average, Metric = ClusterMetric.Cosine };
        var tree = Agglomerative.Fit(rows, dimension, options);
        int[] ten = tree.Cut(10);
        int[] near = tree.CutAt(0.4);
        foreach (var merge in tree.Merges)
        {
            Console.WriteLine($"{merge.First} + {merge.Second} at {merge.Height}: {merge.Size} points");
        }
        Assert.That(ten.Distinct().Count(), Is.EqualTo(10));
        Assert.That(near, Has.Length.EqualTo(16));
    }

    [Test]
    public void Pseudo_labels()
    {
        var (rows, dimension) = Groups(1200);
        int[] speakers = [.. Enumerable.Range(0, 1200).Select(row => row % 8)];
        var fine = KMeans.Fit(rows, dimension, new KMeansOptions { Clusters = 500 });
        var pseudo = PseudoLabels.FromCentroids(fine.Centroids, dimension, fine.Labels, new PseudoLabelOptions { Clusters = 75 });
        int[] labels = pseudo.Labels;   // one a row, 0 to 74
        double completeness = LabelMetrics.Compare(speakers, labels).Completeness;   // where speakers are known
        Assert.That(labels.Distinct().Count(), Is.EqualTo(75));
        Assert.That(completeness, Is.InRange(0, 1));
    }

    [Test]
    public void Camsat_()
    {
        var (rows, dimension) = Groups(64);
        float[] views = [.. rows, .. rows];
        var options = new CamsatOptions { Clusters = 12, HiddenWidth = 32, Epochs = 2, BatchSize = 32 };
        var found = Camsat.Fit(rows, dimension, options, views, progress: new Progress<CamsatEpoch>(e => Console.WriteLine($"{e.Epoch}: {e.Clusters} clusters")));
        Console.WriteLine($"{found.Clusters} of at most {options.Clusters} clusters; the first row is in {found.Labels[0]}, sure to {found.Confidences[0]:0.00}");
        int[] more = found.Predict(rows);
        var imsat = Camsat.Fit(rows, dimension, CamsatOptions.Imsat with { Clusters = 12, HiddenWidth = 32, Epochs = 2 });
        Assert.That(more, Is.EqualTo(found.Labels));
        Assert.That(imsat.Epochs, Has.Count.EqualTo(2));
    }

    // Rows around eight centres that are far apart.
    private static (float[] Rows, int Dimension) Groups(int count)
    {
        const int Dimension = 6, Centres = 8;
        float[] centres = Samples.Normal(1, Centres * Dimension, 4f), rows = Samples.Normal(2, count * Dimension, 0.3f);
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] += centres[(i / Dimension % Centres * Dimension) + (i % Dimension)];
        }

        return (rows, Dimension);
    }
}
