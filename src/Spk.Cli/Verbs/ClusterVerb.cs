using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Clustering;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>Clusters the rows of a matrix, and measures the clusters.</summary>
internal sealed class ClusterVerb : Verb
{
    // A silhouette needs the distances of all pairs of its points.
    private const int SilhouettePoints = 5000;

    private readonly Argument<string> _file = new("FILE") { Description = "Matrix of rows: X.npy (names in X.ids.txt, if there) or a Kaldi archive X.ark." };
    private readonly Option<int> _k = new("--k") { Description = "Number of clusters.", HelpName = "K", Required = true };
    private readonly Option<string> _method = Choice("--method", "kmeans, minibatch, gmm (diagonal, from k-means), ahc (Ward or average), or pseudo (k-means to --centroids-first, then Ward).", "kmeans", "kmeans", "minibatch", "gmm", "ahc", "pseudo");
    private readonly Option<string> _metric = Choice("--metric", "euclidean or cosine.", "euclidean", "euclidean", "cosine");
    private readonly Option<string> _init = Choice("--init", "First centroids: plusplus, parallel (k-means||) or random rows.", "plusplus", "plusplus", "parallel", "random");
    private readonly Option<string> _empty = Choice("--empty", "Clusters that lose all rows: farthest, keep or split.", "farthest", "farthest", "keep", "split");
    private readonly Option<string> _linkage = Choice("--linkage", "For ahc: ward or average.", "ward", "ward", "average");
    private readonly Option<int> _first = new("--centroids-first") { Description = "For pseudo: k-means clusters that Ward then joins to K; 0 for 5 K.", HelpName = "N" };
    private readonly Option<int> _restarts = Number("--restarts", "Independent starts of k-means; the best is kept.", 1, "R");
    private readonly Option<int> _iterations = Number("--iterations", "Most iterations of a start.", 100, "N");
    private readonly Option<double> _tolerance = new("--tolerance") { Description = "Stop when the objective falls by no more than this fraction; 0 until no label changes.", HelpName = "X", DefaultValueFactory = _ => 1e-5 };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of everything random.", HelpName = "N", DefaultValueFactory = _ => 0UL };
    private readonly Option<string> _truth = new("--truth") { Description = "True classes, to compare with: .npy, one class a line, or a table with names.", HelpName = "FILE" };
    private readonly Option<string> _out = CommonOptions.Out("Where labels go: X.csv (id,cluster) or X.npy.", "X.csv", required: false);
    private readonly Option<string> _centroids = new("--centroids") { Description = "Where centroids go.", HelpName = "X.npy" };
    private readonly Option<int> _silhouette = Number("--silhouette", "Points of the sampled silhouette; 0 leaves it out.", SilhouettePoints, "N");

    public ClusterVerb() : base("cluster", "Cluster embeddings or any rows: k-means and others, with the metrics of the field.")
    {
        Arguments.Add(_file);
        foreach (Option option in new Option[]
        {
            _k, _method, _metric, _init, _empty, _linkage, _first, _restarts, _iterations, _tolerance, _seed, _truth, _out, _centroids, _silhouette,
        })
        {
            Options.Add(option);
        }

        Validators.Add(result =>
        {
            if (result.GetValue(_out) is { } path && Path.GetExtension(path) is not (".csv" or ".npy"))
            {
                result.AddError($"--out takes a file name that ends in .csv or .npy, not '{path}'.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk cluster embeddings.npy --k 100 --metric cosine --restarts 5 --out clusters.csv",
        "spk cluster embeddings.npy --k 100 --truth corpus/eval.csv --json",
        "spk cluster x.ark --k 7500 --method pseudo --centroids-first 50000 --metric cosine --out labels.npy",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string path = options.GetRequiredValue(_file);
        var input = ClusterInput.Read(path);
        int[]? truth = options.GetValue(_truth) is { } truthFile ? TruthFile.Read(truthFile, input.Ids) : null;
        string? output = options.GetValue(_out), centroidFile = options.GetValue(_centroids);
        foreach (string file in new[] { output, centroidFile }.OfType<string>())
        {
            CommonOptions.RequireFolder(file);
        }

        var watch = Stopwatch.StartNew();
        var clusters = WorkDisplay.Run(context, "clustering", progress => Cluster(options, input, context, progress));
        watch.Stop();
        var metrics = Measure(input, clusters.Labels, truth, ToMetric(options.GetValue(_metric)), options.GetValue(_silhouette), options.GetValue(_seed), context);
        Write(output, centroidFile, input, clusters);
        var json = new JsonObject
        {
            ["file"] = path,
            ["rows"] = input.Count,
            ["dimension"] = input.Dimension,
            ["method"] = options.GetValue(_method),
            ["clusters"] = clusters.Labels.Distinct().Count(),
            ["inertia"] = clusters.Inertia,
            ["iterations"] = clusters.Iterations,
            ["stop"] = clusters.Stop,
            ["counts"] = new JsonArray([.. Counts(clusters.Labels).Select(c => (JsonNode)c)]),
            ["metrics"] = metrics,
            ["seconds"] = watch.Elapsed.TotalSeconds,
            ["out"] = output,
        };
        context.Report(json, writer => Print(json, watch.Elapsed, writer));
        return ExitCode.Ok;
    }

    private Outcome Cluster(ParseResult options, ClusterInput input, CommandContext context, WorkDisplay progress)
    {
        var metric = ToMetric(options.GetValue(_metric));
        int k = options.GetValue(_k);
        switch (options.GetValue(_method))
        {
            case "ahc":
                var tree = Agglomerative.Fit(
                    input.Values,
                    input.Dimension,
                    new AgglomerativeOptions { Linkage = options.GetValue(_linkage) == "ward" ? Linkage.Ward : Linkage.Average, Metric = metric, Threads = context.Threads },
                    progress: new Relay<double>(done => progress.Report(new DataProgress((int)(1000 * done), 1000))),
                    cancellation: context.Stop);
                return new Outcome(tree.Cut(k), null, null, null, null);
            case "gmm":
                var start = KMeansOf(options, input, k, context, progress);
                var mixture = GaussianMixture.FitFromLabels(
                    input.Values, input.Dimension, start.Labels, new GaussianMixtureOptions { Threads = context.Threads }, cancellation: context.Stop);
                return new Outcome(mixture.Labels, mixture.Means, null, mixture.Iterations, mixture.Converged ? "converged" : "maximumIterations");
            case "pseudo":
                int first = options.GetValue(_first) is > 0 and var n ? n : Math.Min(5 * k, input.Count);
                var fine = KMeansOf(options, input, first, context, progress);
                var joined = PseudoLabels.FromCentroids(
                    fine.Centroids, input.Dimension, fine.Labels, new PseudoLabelOptions { Clusters = k, UnitLength = metric == ClusterMetric.Cosine, Threads = context.Threads }, context.Stop);
                return new Outcome(joined.Labels, null, fine.Inertia, fine.Iterations, Camel(fine.Stop.ToString()));
            default:
                var result = KMeansOf(options, input, k, context, progress);
                return new Outcome(result.Labels, result.Centroids, result.Inertia, result.Iterations, Camel(result.Stop.ToString()));
        }
    }

    private KMeansResult KMeansOf(ParseResult options, ClusterInput input, int k, CommandContext context, WorkDisplay progress)
    {
        var settings = new KMeansOptions
        {
            Clusters = k,
            Metric = ToMetric(options.GetValue(_metric)),
            Algorithm = options.GetValue(_method) == "minibatch" ? KMeansAlgorithm.MiniBatch : KMeansAlgorithm.Lloyd,
            Initialization = options.GetValue(_init) switch
            {
                "parallel" => KMeansInitialization.Parallel,
                "random" => KMeansInitialization.RandomRows,
                _ => KMeansInitialization.PlusPlus,
            },
            EmptyClusters = Enum.Parse<EmptyClusterPolicy>(options.GetValue(_empty)!, ignoreCase: true),
            Restarts = options.GetValue(_restarts),
            MaximumIterations = options.GetValue(_iterations),
            Tolerance = options.GetValue(_tolerance),
            Seed = options.GetValue(_seed),
        };
        using var device = context.OpenDevice();
        int all = settings.Restarts * settings.MaximumIterations;
        return KMeans.Fit(
            input.Values,
            input.Dimension,
            settings,
            device: device,
            progress: new Relay<KMeansProgress>(p => progress.Report(new DataProgress((p.Restart * settings.MaximumIterations) + p.Iteration, all))),
            cancellation: context.Stop);
    }

    private static JsonObject Measure(
        ClusterInput input, int[] labels, int[]? truth, ClusterMetric metric, int silhouettePoints, ulong seed, CommandContext context)
    {
        var metrics = new JsonObject();
        if (truth is not null)
        {
            var agreement = LabelMetrics.Compare(truth, labels, context.Threads);
            metrics["classes"] = agreement.Classes;
            metrics["accuracy"] = agreement.Accuracy;
            metrics["purity"] = agreement.Purity;
            metrics["nmi"] = agreement.NormalizedMutualInformation;
            metrics["ami"] = agreement.AdjustedMutualInformation;
            metrics["ari"] = agreement.AdjustedRandIndex;
            metrics["homogeneity"] = agreement.Homogeneity;
            metrics["completeness"] = agreement.Completeness;
            metrics["vMeasure"] = agreement.VMeasure;
            metrics["fowlkesMallows"] = agreement.FowlkesMallows;
        }

        // Of the rows themselves there are measures only where there are several clusters, and fewer than rows.
        int clusters = labels.Distinct().Count();
        if (clusters < 2 || clusters >= input.Count)
        {
            return metrics;
        }

        metrics["calinskiHarabasz"] = FeatureMetrics.CalinskiHarabasz(input.Values, input.Dimension, labels, context.Threads);
        metrics["daviesBouldin"] = FeatureMetrics.DaviesBouldin(input.Values, input.Dimension, labels, context.Threads);
        int sample = Math.Min(silhouettePoints, input.Count);
        if (sample >= 3)
        {
            try
            {
                metrics["silhouette"] = FeatureMetrics.SilhouetteSampled(input.Values, input.Dimension, labels, sample, seed, metric, context.Threads, context.Stop);
                metrics["silhouettePoints"] = sample;
            }
            catch (ShapeException e)
            {
                context.Note($"no silhouette: {e.Message}");
            }
        }

        return metrics;
    }

    private static void Write(string? path, string? centroidFile, ClusterInput input, Outcome clusters)
    {
        if (path is not null && Path.GetExtension(path) == ".npy")
        {
            NpyFile.Write(path, clusters.Labels, clusters.Labels.Length);
        }
        else if (path is not null)
        {
            var text = new StringBuilder("id,cluster\n");
            for (int i = 0; i < input.Count; i++)
            {
                text.Append(input.Ids[i].Contains(',', StringComparison.Ordinal) ? $"\"{input.Ids[i]}\"" : input.Ids[i]).Append(',').Append(clusters.Labels[i]).Append('\n');
            }

            AtomicFile.WriteText(path, text.ToString());
        }

        if (centroidFile is not null)
        {
            float[] centroids = clusters.Centroids ?? throw new InvalidOptionException("--centroids: this method has no centroids.");
            NpyFile.Write(centroidFile, centroids, centroids.Length / input.Dimension, input.Dimension);
        }
    }

    private static void Print(JsonObject json, TimeSpan time, TextWriter writer)
    {
        writer.WriteLine($"{json["rows"]} rows of size {json["dimension"]} in {json["clusters"]} clusters, {Screen.Duration(time)}");
        if (json["inertia"] is { } inertia)
        {
            writer.WriteLine($"inertia {(double)inertia:G6} after {json["iterations"]} iterations ({json["stop"]})");
        }

        foreach (var (name, value) in json["metrics"]!.AsObject())
        {
            writer.WriteLine($"{name,-18} {(value!.AsValue().TryGetValue(out double number) ? number.ToString("G5", CultureInfo.InvariantCulture) : value)}");
        }

        if (json["out"] is { } path)
        {
            writer.WriteLine($"Labels: {path}");
        }
    }

    private static int[] Counts(int[] labels)
    {
        int[] counts = new int[labels.Max() + 1];
        foreach (int label in labels)
        {
            counts[label]++;
        }

        return counts;
    }

    private static ClusterMetric ToMetric(string? name) => name == "cosine" ? ClusterMetric.Cosine : ClusterMetric.Euclidean;

    private static string Camel(string name) => char.ToLowerInvariant(name[0]) + name[1..];

    private static Option<string> Choice(string name, string description, string standard, params string[] allowed)
    {
        var option = new Option<string>(name) { Description = description, HelpName = "NAME", DefaultValueFactory = _ => standard };
        option.AcceptOnlyFromAmong(allowed);
        return option;
    }

    private static Option<int> Number(string name, string description, int standard, string help) =>
        new(name) { Description = description, HelpName = help, DefaultValueFactory = _ => standard };

    private sealed record Outcome(int[] Labels, float[]? Centroids, double? Inertia, int? Iterations, string? Stop);

    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
