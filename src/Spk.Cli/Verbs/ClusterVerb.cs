using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Clustering;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Interop.Mpi;
using Spk.Training.Data;
using Spk.Training.PseudoLabelling;

namespace Spk.Cli.Verbs;

/// <summary>Clusters the rows of a matrix, and measures the clusters.</summary>
internal sealed class ClusterVerb : Verb
{
    private readonly Argument<string> _file = new("FILE") { Description = "Matrix of rows: X.npy (names in X.ids.txt, if there), X.ark or X.scp." };
    private readonly Option<int?> _k = new("--k") { Description = "Number of clusters.", HelpName = "K" };
    private readonly Option<string> _sweep = new("--sweep") { Description = "Instead of --k: several K, such as 2-40, 50-500:50 or 8,16,32; the one with the highest silhouette is taken.", HelpName = "LIST" };
    private readonly Option<string> _method = Choice("--method", "kmeans; minibatch (k-means on random batches); gmm (diagonal Gaussians, from k-means); ahc (tree); pseudo (k-means, then Ward on its centroids); camsat and imsat (a network; K is an upper bound).", [.. ClusteringMethods.Names]);
    private readonly Option<string> _metric = Choice("--metric", "euclidean or cosine.", "euclidean", "cosine");
    private readonly Option<string> _init = Choice("--init", "First centroids: plusplus, parallel (k-means||, for large K) or random rows.", "plusplus", "parallel", "random");
    private readonly Option<string> _empty = Choice("--empty", "Clusters that lose all rows: farthest, keep or split.", "farthest", "keep", "split");
    private readonly Option<string> _linkage = Choice("--linkage", "For ahc: ward or average.", "ward", "average");
    private readonly Option<int> _first = Number("--centroids-first", "For pseudo: k-means clusters that Ward joins to K; 0 for 5 K.", 0, "N");
    private readonly Option<int> _restarts = Number("--restarts", "Independent starts of k-means; the best is kept.", 1, "R");
    private readonly Option<string> _views = new("--views") { Description = "For camsat: augmented views of the rows, [views, rows, columns]. Without it X.views.npy (see 'spk embed --views') if it is there, else noise; none asks for noise.", HelpName = "X.npy" };
    private readonly Option<int> _epochs = Number("--epochs", "For camsat and imsat: passes over the rows.", 100, "N");
    private readonly Option<int> _batch = Number("--batch", "For camsat and imsat: rows of a step.", 256, "B");
    private readonly Option<int> _hidden = Number("--hidden", "For camsat and imsat: width of the two hidden layers.", 1200, "N");
    private readonly Option<double> _rate = new("--learning-rate") { Description = "For camsat and imsat: first step size.", HelpName = "X", DefaultValueFactory = _ => 1e-3 };
    private readonly Option<double> _lambda = new("--lambda") { Description = "For camsat and imsat: weight of information maximisation.", HelpName = "X", DefaultValueFactory = _ => 0.1 };
    private readonly Option<double> _mu = new("--mu") { Description = "For camsat and imsat: weight of the entropy of the marginal.", HelpName = "X", DefaultValueFactory = _ => 4 };
    private readonly Option<double> _contrast = new("--info-nce") { Description = "For camsat: weight of InfoNCE between two views in the last hidden layer.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<double> _supCon = new("--sup-con") { Description = "For camsat: weight of SupCon between views of a row, and of rows of one class, in the last hidden layer.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<double> _mixup = new("--mixup") { Description = "For camsat and imsat: weight of mixup between rows.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<double> _share = new("--marginal-share") { Description = "For camsat and imsat: share of a batch in the running marginal, to 1; 0 for what suits batch and K.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<int> _iterations = Number("--iterations", "Most iterations of a start.", 100, "N");
    private readonly Option<double> _tolerance = new("--tolerance") { Description = "Stop when the objective falls by no more than this fraction; 0 until no label changes.", HelpName = "X", DefaultValueFactory = _ => 1e-5 };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of everything random.", HelpName = "N", DefaultValueFactory = _ => 0UL };
    private readonly Option<string> _truth = new("--truth") { Description = "True classes, to compare with: X.npy, one class a line, or a table with names.", HelpName = "FILE" };
    private readonly Option<string> _out = CommonOptions.Out("Where labels go: X.csv (id,cluster) or X.npy.", "FILE", required: false);
    private readonly Option<string> _centroids = new("--centroids") { Description = "Where centroids go; not for ahc and pseudo.", HelpName = "X.npy" };
    private readonly Option<int> _silhouette = Number("--silhouette", "Points that the silhouette is estimated on; 0 leaves it out.", ClusterMeasures.SilhouettePoints, "N");

    public ClusterVerb() : base("cluster", "Cluster embeddings or any rows: k-means and others, with the metrics of the field. Processes that mpirun starts share the rows of k-means.")
    {
        Arguments.Add(_file);
        foreach (Option option in new Option[]
        {
            _k, _sweep, _method, _metric, _init, _empty, _linkage, _first, _restarts, _iterations, _tolerance, _views, _epochs, _batch, _hidden, _rate, _lambda,
            _mu, _share, _contrast, _supCon, _mixup, _seed, _truth, _out, _centroids, _silhouette,
        })
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
        int[] clusters = RequireClusters(options);
        RequireRanges(options);
        RequireMatchingMethod(options);
        RequireSharedMethod(options);
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

        input = WithViews(options, input, path, context);
        int silhouettePoints = options.GetValue(_silhouette);
        var settings = Settings(options, clusters[0]);
        using var device = settings.Method == "ahc" ? new CpuDevice(context.Threads) : context.OpenDevice();
        device.Collective = processes;
        NoteMemory(input, settings, silhouettePoints, device, context);
        var watch = Stopwatch.StartNew();
        IReadOnlyList<KMeansSweepPoint> sweep = [];
        var found = WorkDisplay.Run(context, "clustering", progress =>
        {
            if (options.GetValue(_sweep) is null)
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
        context.Report(json, writer => Print(json, watch.Elapsed, writer));
        return ExitCode.Ok;
    }

    // The part of a process that writes nothing.
    private int Follow(ParseResult options, CommandContext context, int clusters, Collective processes)
    {
        var (values, rows, dimension) = ClusterInput.ReadShare(options.GetRequiredValue(_file), processes);
        using var device = context.OpenDevice();
        device.Collective = processes;
        Shared(values, rows, dimension, Settings(options, clusters), device, null, context.Stop);
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

    // Better known before than after.
    private static void NoteMemory(ClusterInput input, ClusteringSettings settings, int silhouettePoints, Device device, CommandContext context)
    {
        var memory = ClusteringMemory.Estimate(input.Count, input.Dimension, settings, device, input.Views.Length / input.Values.Length, silhouettePoints);
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

    private ClusteringSettings Settings(ParseResult options, int clusters)
    {
        var kMeans = new KMeansOptions
        {
            Clusters = clusters,
            Metric = options.GetValue(_metric) == "cosine" ? ClusterMetric.Cosine : ClusterMetric.Euclidean,
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
        return new ClusteringSettings
        {
            Method = options.GetValue(_method)!,
            KMeans = kMeans,
            Linkage = options.GetValue(_linkage) == "ward" ? Linkage.Ward : Linkage.Average,
            FirstClusters = options.GetValue(_first),
            Network = new CamsatOptions
            {
                Epochs = options.GetValue(_epochs),
                BatchSize = options.GetValue(_batch),
                HiddenWidth = options.GetValue(_hidden),
                LearningRate = options.GetValue(_rate),
                InformationWeight = options.GetValue(_lambda),
                MarginalWeight = options.GetValue(_mu),
                InfoNceWeight = options.GetValue(_contrast),
                SupConWeight = options.GetValue(_supCon),
                MixupWeight = options.GetValue(_mixup),
                MarginalShare = options.GetValue(_share),
            },
        };
    }

    private ClusterInput WithViews(ParseResult options, ClusterInput input, string path, CommandContext context)
    {
        if (options.GetValue(_method) != "camsat")
        {
            return input;
        }

        string? asked = options.GetValue(_views);
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

    private int[] RequireClusters(ParseResult options)
    {
        var (one, several) = (options.GetValue(_k), options.GetValue(_sweep));
        if (one is null == several is null)
        {
            throw new InvalidOptionException(one is null ? "--k or --sweep is needed: how many clusters? See 'spk cluster --help'." : "--k and --sweep exclude each other.");
        }

        return several is null ? [one!.Value]
            : ClusterRange.TryParse(several, out int[] clusters) ? clusters
            : throw new InvalidOptionException($"--sweep takes numbers of clusters such as 2-40, 50-500:50 or 8,16,32, not '{several}'.");
    }

    private void RequireRanges(ParseResult options)
    {
        Require(_k, value => value is null or >= 1, "1 or more");
        Require(_first, value => value >= 0, "0 or more");
        Require(_restarts, value => value is >= 1 and <= 10_000, "1 to 10,000");
        Require(_iterations, value => value >= 0, "0 or more");
        Require(_epochs, value => value >= 1, "1 or more");
        Require(_batch, value => value >= 2, "2 or more");
        Require(_hidden, value => value >= 1, "1 or more");
        Require(_rate, value => value > 0 && double.IsFinite(value), "numbers above 0");
        Require(_lambda, value => value >= 0 && double.IsFinite(value), "0 or more");
        Require(_contrast, value => value >= 0 && double.IsFinite(value), "0 or more");
        Require(_supCon, value => value >= 0 && double.IsFinite(value), "0 or more");
        Require(_mixup, value => value >= 0 && double.IsFinite(value), "0 or more");
        Require(_share, value => value is >= 0 and <= 1, "0 to 1");
        Require(_mu, value => value >= 0 && double.IsFinite(value), "0 or more");
        Require(_tolerance, value => value is >= 0 and <= 1, "0 to 1");
        Require(_silhouette, value => value is 0 or >= 3, "0 or at least 3");
        Require(_out, value => value is null || Path.GetExtension(value) is ".csv" or ".npy", "a file name that ends in .csv or .npy");
        Require(_centroids, value => value is null || Path.GetExtension(value) == ".npy", "a file name that ends in .npy");

        void Require<T>(Option<T> option, Func<T?, bool> valid, string allowed)
        {
            if (options.GetValue(option) is var value && !valid(value))
            {
                throw new InvalidOptionException(string.Create(CultureInfo.InvariantCulture, $"{option.Name} takes {allowed}, not '{value}'."));
            }
        }
    }

    private void RequireMatchingMethod(ParseResult options)
    {
        string method = options.GetValue(_method)!;
        Require(_sweep, "kmeans", "minibatch");
        Require(_linkage, "ahc");
        Require(_first, "pseudo");
        Require(_views, "camsat");
        Require(_contrast, "camsat");
        Require(_supCon, "camsat");
        foreach (Option option in new Option[] { _epochs, _batch, _hidden, _rate, _lambda, _mu, _share, _mixup })
        {
            Require(option, "camsat", "imsat");
        }

        Require(_centroids, "kmeans", "minibatch", "gmm");
        foreach (Option option in new Option[] { _init, _empty, _restarts, _iterations, _tolerance })
        {
            Require(option, "kmeans", "minibatch", "gmm", "pseudo");
        }

        if (method == "ahc" && options.GetValue(_linkage) == "ward" && options.GetValue(_metric) == "cosine")
        {
            throw new InvalidOptionException("--linkage ward needs Euclidean distances: take --linkage average for --metric cosine, or --method pseudo.");
        }

        if (method == "ahc" && options.GetValue(GlobalOptions.Device) is { } device && device.StartsWith("cuda", StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidOptionException($"--device {device}: --method ahc runs on the CPU only; leave --device out.");
        }

        if (method == "pseudo" && options.GetValue(_first) is > 0 and var first && first < options.GetValue(_k))
        {
            throw new InvalidOptionException($"--centroids-first {first}: clusters that are joined to --k {options.GetValue(_k)} must be as many or more.");
        }

        void Require(Option option, params string[] methods)
        {
            if (options.GetResult(option) is { Implicit: false } && !methods.Contains(method))
            {
                throw new InvalidOptionException($"{option.Name} is not for --method {method}: it goes with {string.Join(", ", methods)}.");
            }
        }
    }

    private void RequireSharedMethod(ParseResult options)
    {
        int processes = MpiLibrary.LaunchedRanks;
        if (processes == 1)
        {
            return;
        }

        Require(options.GetValue(_method) == "kmeans", $"--method {options.GetValue(_method)}", "take --method kmeans");
        Require(options.GetValue(_sweep) is null, "--sweep", "give --k");
        Require(options.GetValue(_init) != "parallel", "--init parallel", "take plusplus or random");
        Require(options.GetValue(GlobalOptions.Device) == "cpu", $"--device {options.GetValue(GlobalOptions.Device) ?? "auto"}", "take --device cpu");

        void Require(bool holds, string what, string use)
        {
            if (!holds)
            {
                throw new InvalidOptionException($"{what} cannot be used by {processes} processes together: {use}, or start one process.");
            }
        }
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

    private static void Print(JsonObject json, TimeSpan time, TextWriter writer)
    {
        foreach (var point in json["sweep"]?.AsArray() ?? [])
        {
            var row = point!.AsObject();
            writer.WriteLine($"K = {row["k"],-6} {string.Join("   ", row.Skip(1).Select(figure => $"{figure.Key} {Text(figure.Value),-8}")).TrimEnd()}");
        }

        int clusters = (int)json["clusters"]!;
        writer.WriteLine($"{json["rows"]} rows of size {json["dimension"]} in {clusters} cluster{(clusters == 1 ? "" : "s")}, {Screen.Duration(time)}");
        if (json["iterations"] is { } iterations)
        {
            var (name, value) = json["inertia"] is { } inertia ? ("inertia", inertia) : ("mean log-likelihood", json["logLikelihood"]!);
            string of = json["centroidsFirst"] is { } first ? $" of {first} clusters that were joined" : "";
            writer.WriteLine($"{name} {Text(value)}{of} after {iterations} iterations ({json["stop"]})");
        }

        foreach (var (name, value) in json["metrics"]!.AsObject())
        {
            writer.WriteLine($"{name,-18} {Text(value)}");
        }

        if (json["out"] is { } path)
        {
            writer.WriteLine($"Labels: {path}");
        }
    }

    private static string Text(JsonNode? value) =>
        value is null ? "" : value.AsValue().TryGetValue(out double number) ? number.ToString("G6", CultureInfo.InvariantCulture) : value.ToString();

    private static int[] Counts(int[] labels)
    {
        int[] counts = new int[labels.Max() + 1];
        foreach (int label in labels)
        {
            counts[label]++;
        }

        return counts;
    }

    private static Option<string> Choice(string name, string description, params string[] allowed)
    {
        var option = new Option<string>(name) { Description = description, HelpName = "NAME", DefaultValueFactory = _ => allowed[0] };
        option.AcceptOnlyFromAmong(allowed);
        return option;
    }

    private static Option<int> Number(string name, string description, int standard, string help) =>
        new(name) { Description = description, HelpName = help, DefaultValueFactory = _ => standard };

    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
