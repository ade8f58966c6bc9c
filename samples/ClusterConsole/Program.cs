using System.Globalization;
using ClusterConsole;
using Spk.Engine.Clustering;
using Spk.Interop;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true;
    stop.Cancel();
};

try
{
    var arguments = Arguments.Parse(args);
    if (arguments.Help)
    {
        Console.WriteLine(Arguments.Usage);
        return 0;
    }

    var embeddings = arguments.File is { } file ? Embeddings.Load(file) : Embeddings.Demonstration();
    Console.WriteLine($"{embeddings.Count} rows of size {embeddings.Dimension} from {arguments.File ?? "a demonstration: five made-up speakers"}");

    // Several K are compared by their scores; from one K a sweep makes one clustering.
    Console.WriteLine();
    Console.WriteLine("    K      inertia   silhouette   Calinski-Harabasz   Davies-Bouldin");
    var sweep = KMeans.SweepK(
        embeddings.Values,
        embeddings.Dimension,
        [.. arguments.Clusters(embeddings.Count)],
        new KMeansOptions { Metric = arguments.Metric, Restarts = 5, Seed = arguments.Seed },
        silhouetteSample: Math.Min(10_000, embeddings.Count),
        progress: new Progress(Print),
        cancellation: stop.Token);
    var best = sweep.MaxBy(point => point.Scores?.Silhouette ?? -1)!.Result;

    Console.WriteLine();
    Console.WriteLine($"K = {best.Clusters}{(sweep.Count > 1 ? ", the highest silhouette" : "")}: {best.Iterations} iterations, inertia {best.Inertia:G6}");
    Console.WriteLine();
    Console.WriteLine("cluster     rows   nearest to its centroid");
    for (int cluster = 0; cluster < best.Clusters; cluster++)
    {
        int nearest = Enumerable.Range(0, embeddings.Count).Where(row => best.Labels[row] == cluster).DefaultIfEmpty(-1).MaxBy(row => row < 0 ? 0 : best.OwnSimilarity[row]);
        Console.WriteLine($"{cluster,7} {best.Counts[cluster],8}   {(nearest < 0 ? "" : embeddings.Names[nearest])}");
    }

    if (arguments.Out is { } path)
    {
        File.WriteAllLines(path, best.Labels.Select((label, row) => $"{embeddings.Names[row]},{label}").Prepend("name,cluster"));
        Console.WriteLine();
        Console.WriteLine($"labels: {path}");
    }

    return 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Stopped.");
    return 130;
}
catch (Exception e) when (e is SpkException or IOException or UnauthorizedAccessException)
{
    // What the engine throws is one sentence: the field, the problem, the fix.
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}

static void Print(KMeansSweepPoint point)
{
    var (silhouette, calinski, davies) = point.Scores ?? new FeatureScores(null, double.NaN, double.NaN);
    Console.WriteLine($"{point.Clusters,5} {point.Result.Inertia,12:G6} {silhouette,12:0.000} {calinski,19:G5} {davies,16:0.000}");
}
