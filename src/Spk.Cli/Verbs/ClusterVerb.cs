using System.CommandLine;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Clustering;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.PseudoLabelling;

namespace Spk.Cli.Verbs;

/// <summary>Clusters the rows of a matrix, and measures the clusters.</summary>
internal sealed class ClusterVerb : Verb
{
    private readonly Argument<string> _file = new("FILE") { Description = "Matrix of rows: X.npy (names in X.ids.txt, if there), X.ark or X.scp." };
    private readonly ClusterOptions _how;
    private readonly Option<string> _truth = new("--truth") { Description = "True classes, to compare with: X.npy, one class a line, or a table with names.", HelpName = "FILE" };
    private readonly Option<string> _out = CommonOptions.Out("Where labels go: X.csv (id,cluster) or X.npy.", "FILE", required: false);
    private readonly Option<string> _centroids = new("--centroids") { Description = "Where centroids go; not for ahc and pseudo.", HelpName = "X.npy" };
    private readonly Option<int> _silhouette = CommonOptions.Number("--silhouette", "Points that the silhouette is estimated on; 0 leaves it out.", ClusterMeasures.SilhouettePoints, "N");

    public ClusterVerb() : base("cluster", "Cluster embeddings or any rows: k-means and others, with the metrics of the field. Processes that mpirun starts share the rows of k-means.")
    {
        Arguments.Add(_file);
        _how = new ClusterOptions(this);
        foreach (Option option in new Option[] { _truth, _out, _centroids, _silhouette })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk cluster embeddings.npy --k 100 --metric cosine --restarts 5 --out clusters.csv",
        "spk cluster embeddings.npy --k 100 --truth corpus/eval.csv --json",
        "spk cluster embeddings.npy --sweep 10-200:10 --metric cosine --out clusters.csv --centroids centroids.npy",
        "spk cluster embeddings.npy --k 700 --method camsat --truth corpus/train.csv --out clusters.csv --verbose",
        "mpirun -n 4 spk cluster embeddings.npy --k 25000 --metric cosine --out clusters.csv --device cpu",
        "spk cluster x.ark --k 7500 --method pseudo --centroids-first 50000 --metric cosine --out labels.npy",
    ];

    /// <inheritdoc/>
    public override bool SharesWork => true;

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        int[] clusters = _how.Clusters(options);
        _how.Check(options);
        _how.RequireMethod(options, _centroids, "kmeans", "minibatch", "gmm");
        CommonOptions.Require(options, _silhouette, value => value is 0 or >= 3, "0 or at least 3");
        CommonOptions.Require(options, _out, value => value is null || Path.GetExtension(value) is ".csv" or ".npy", "a file name that ends in .csv or .npy");
        CommonOptions.Require(options, _centroids, value => value is null || Path.GetExtension(value) == ".npy", "a file name that ends in .npy");
        return LaunchedProcesses.Run(
            context, () => "nothing was written", processes => processes.IsLead ? Run(options, context, clusters, processes) : Follow(options, context, clusters[0], processes));
    }

    private int Run(ParseResult options, CommandContext context, int[] clusters, Collective processes)
    {
        string path = options.GetRequiredValue(_file);
        var input = ClusterInput.Read(path);
        if (Array.Find(clusters, wanted => wanted > input.Count) is > 0 and var tooMany)
        {
            throw new InvalidOptionException($"K = {tooMany}: {path} has {input.Count} rows; take 1 to {input.Count}.");
        }

        int[]? truth = options.GetValue(_truth) is { } truthFile ? TruthFile.Read(truthFile, input.Ids) : null;
        string? output = options.GetValue(_out), centroidFile = options.GetValue(_centroids);
        foreach (string file in new[] { output, centroidFile }.OfType<string>())
        {
            CommonOptions.RequireFolder(file);
        }

        var settings = _how.Settings(options, clusters[0]);
        input = WithViews(options, settings, input, path, context);
        int silhouettePoints = options.GetValue(_silhouette);
        using var device = settings.Method == "ahc" ? new CpuDevice(context.Threads) : context.OpenDevice();
        device.Collective = processes;
        NoteMemory(input, _how.Settings(options, clusters.Max()), clusters, silhouettePoints, device, context);
        var watch = Stopwatch.StartNew();
        IReadOnlyList<KMeansSweepPoint> sweep = [];
        var found = WorkDisplay.Run(context, "clustering", progress =>
        {
            if (!_how.Sweeps(options))
            {
                if (processes.Ranks > 1)
                {
                    var (first, count) = KMeans.ShareOf(input.Count, processes);
                    return Shared(input.Values.AsSpan(first * input.Dimension, count * input.Dimension), input.Count, input.Dimension, settings, device, progress, context.Stop);
                }

                var epochs = new Relay<CamsatEpoch>(epoch => context.Note(ClusterFigures.Describe(epoch)));
                return ClusteringMethods.Run(
                    input.Values, input.Dimension, settings, device, input.Views, truth, progress, context.Verbose ? epochs : null, context.Stop);
            }

            sweep = Sweep(input, clusters, settings, silhouettePoints, device, progress, context.Stop);
            return ClusteringOutcome.Of(sweep.MaxBy(point => point.Scores?.Silhouette ?? double.MinValue)!.Result);
        });
        watch.Stop();
        var metrics = ClusterFigures.ToJson(ClusterMeasures.Of(
            input.Values, input.Dimension, found.Labels, truth, settings.KMeans.Metric, silhouettePoints, settings.KMeans.Seed, context.Threads, context.Stop));
        Write(output, centroidFile, input, found);
        int[] counts = Counts(found.Labels);
        var json = new JsonObject
        {
            ["file"] = path,
            ["rows"] = input.Count,
            ["dimension"] = input.Dimension,
            ["method"] = settings.Method,
            ["clusters"] = counts.Count(count => count > 0),
            ["inertia"] = found.Inertia,
            ["logLikelihood"] = found.LogLikelihood,
            ["iterations"] = found.Iterations,
            ["stop"] = found.Stop,
            ["centroidsFirst"] = found.FirstClusters,
            ["counts"] = new JsonArray([.. counts.Select(count => (JsonNode)count)]),
            ["metrics"] = metrics,
            ["epochs"] = found.Epochs.Count == 0 ? null : new JsonArray([.. found.Epochs.Select(ClusterFigures.ToJson)]),
            ["sweep"] = sweep.Count == 0 ? null : new JsonArray([.. sweep.Select(ClusterFigures.Describe)]),
            ["seconds"] = watch.Elapsed.TotalSeconds,
            ["peakBytes"] = PeakBytes(),
            ["out"] = output,
        };
        context.Report(json, writer => ClusterText.Print(json, watch.Elapsed, writer));
        return ExitCode.Ok;
    }

    // The part of a process that writes nothing.
    private int Follow(ParseResult options, CommandContext context, int clusters, Collective processes)
    {
        var (values, rows, dimension) = ClusterInput.ReadShare(options.GetRequiredValue(_file), processes);
        using var device = context.OpenDevice();
        device.Collective = processes;
        Shared(values, rows, dimension, _how.Settings(options, clusters), device, null, context.Stop);
        return ExitCode.Ok;
    }

    private static ClusteringOutcome Shared(
        ReadOnlySpan<float> ownRows, int rows, int dimension, ClusteringSettings settings, Device device, WorkDisplay? progress, CancellationToken stop)
    {
        var options = settings.KMeansOf(rows);
        int steps = options.Restarts * options.MaximumIterations;
        var report = new Relay<KMeansProgress>(p => progress?.Report(new DataProgress((p.Restart * options.MaximumIterations) + p.Iteration, steps)));
        var own = KMeans.FitShared(ownRows, rows, dimension, options, (CpuDevice)device, progress: report, cancellation: stop);
        return ClusteringOutcome.Of(KMeans.Join(own, rows, device.Collective));
    }

    // Better known before than after: for the most clusters, and the results of a sweep that stay until the last of them.
    private static void NoteMemory(ClusterInput input, ClusteringSettings settings, int[] clusters, int silhouettePoints, Device device, CommandContext context)
    {
        var memory = ClusteringMemory.Estimate(input.Count, input.Dimension, settings, device, input.Views.Length / input.Values.Length, silhouettePoints);
        long others = clusters.Sum(k => (2L * input.Count) + ((long)k * input.Dimension)) - (2L * input.Count) - ((long)clusters.Max() * input.Dimension);
        memory = memory with { Host = memory.Host + (others * sizeof(float)) };
        context.Note(MemoryText.Of(memory, $"to cluster {input.Count} rows"));
        MemoryText.WarnIfShort(memory, device, context);
    }

    // Most memory that the process has ever had, where the system tells.
    private static long? PeakBytes()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64 > 0 ? self.PeakWorkingSet64 : null;
    }

    private static IReadOnlyList<KMeansSweepPoint> Sweep(
        ClusterInput input, int[] clusters, ClusteringSettings settings, int silhouettePoints, Device device, WorkDisplay progress,
        CancellationToken stop)
    {
        int done = 0;
        var report = new Relay<KMeansSweepPoint>(_ => progress.Report(new DataProgress(++done, clusters.Length)));
        return KMeans.SweepK(
            input.Values, input.Dimension, clusters, settings.KMeansOf(input.Count), Math.Min(silhouettePoints, input.Count), device: device, progress: report,
            cancellation: stop);
    }

    private ClusterInput WithViews(ParseResult options, ClusteringSettings settings, ClusterInput input, string path, CommandContext context)
    {
        if (settings.Method != "camsat")
        {
            return input;
        }

        string? asked = _how.Views(options);
        if (asked is not null && asked != "none")
        {
            return input.WithViews(asked);
        }

        string beside = ClusterInput.ViewsOf(path);
        if (asked is null && File.Exists(beside))
        {
            return input.WithViews(beside);
        }

        context.Note($"views: noise on the embeddings{(asked is null ? $"; 'spk embed --views 4' makes better ones of the recordings, in {beside}" : "")}");
        return input;
    }

    private static void Write(string? path, string? centroidFile, ClusterInput input, ClusteringOutcome found)
    {
        if (path is not null && Path.GetExtension(path) == ".npy")
        {
            NpyFile.Write(path, found.Labels, found.Labels.Length);
        }
        else if (path is not null)
        {
            var text = new StringBuilder("id,cluster\n");
            for (int i = 0; i < input.Count; i++)
            {
                text.Append(Cell(input.Ids[i])).Append(',').Append(found.Labels[i]).Append('\n');
            }

            AtomicFile.WriteText(path, text.ToString());
        }

        if (centroidFile is not null)
        {
            NpyFile.Write(centroidFile, found.Centroids, found.Centroids!.Length / input.Dimension, input.Dimension);
        }
    }

    // RFC 4180: quotes around what holds a comma or a quote, and quotes inside twice.
    private static string Cell(string text) => text.AsSpan().ContainsAny(',', '"') ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;

    private static int[] Counts(int[] labels)
    {
        int[] counts = new int[labels.Max() + 1];
        foreach (int label in labels)
        {
            counts[label]++;
        }

        return counts;
    }

    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
