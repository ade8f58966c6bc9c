using System.CommandLine;
using Spk.Engine.Clustering;
using Spk.Interop;
using Spk.Interop.Mpi;
using Spk.Training.PseudoLabelling;

namespace Spk.Cli.Verbs;

/// <summary>How rows are clustered: method, number of clusters and what each method may be told.</summary>
internal sealed class ClusterOptions
{
    private readonly Option<int?> _k = new("--k") { Description = "Number of clusters.", HelpName = "K" };
    private readonly Option<string> _sweep = new("--sweep") { Description = "Instead of --k: several K, such as 2-40, 50-500:50 or 8,16,32; the one with the highest silhouette is taken.", HelpName = "LIST" };
    private readonly Option<string> _method = CommonOptions.Choice("--method", "kmeans; minibatch (k-means on random batches); gmm (diagonal Gaussians, from k-means); ahc (tree); pseudo (k-means, then Ward on its centroids); camsat and imsat (a network; K is an upper bound).", [.. ClusteringMethods.Names]);
    private readonly Option<string> _metric = CommonOptions.Choice("--metric", "Distance of rows.", "euclidean", "cosine");
    private readonly Option<string> _init = CommonOptions.Choice("--init", "First centroids: plusplus, parallel (k-means||, for large K) or random rows.", "plusplus", "parallel", "random");
    private readonly Option<string> _empty = CommonOptions.Choice("--empty", "Clusters that lose all rows: farthest, keep or split.", "farthest", "keep", "split");
    private readonly Option<string> _linkage = CommonOptions.Choice("--linkage", "For ahc: ward or average.", "ward", "average");
    private readonly Option<int> _first = CommonOptions.Number("--centroids-first", "For pseudo: k-means clusters that Ward joins to K; 0 for 5 K.", 0, "N");
    private readonly Option<int> _restarts = CommonOptions.Number("--restarts", "Independent starts of k-means; the best is kept.", 1, "R");
    private readonly Option<string> _views = new("--views") { Description = "For camsat: augmented views of the rows, [views, rows, columns]. Without it X.views.npy (see 'spk embed --views') if it is there, else noise; none asks for noise.", HelpName = "X.npy" };
    private readonly Option<int> _epochs = CommonOptions.Number("--epochs", "For camsat and imsat: passes over the rows.", 100, "N");
    private readonly Option<int> _batch = CommonOptions.Number("--batch", "For camsat and imsat: rows of a step.", 256, "B");
    private readonly Option<int> _hidden = CommonOptions.Number("--hidden", "For camsat and imsat: width of the two hidden layers.", 1200, "N");
    private readonly Option<double> _rate = new("--learning-rate") { Description = "For camsat and imsat: first step size.", HelpName = "X", DefaultValueFactory = _ => 1e-3 };
    private readonly Option<double> _lambda = new("--lambda") { Description = "For camsat and imsat: weight of information maximisation.", HelpName = "X", DefaultValueFactory = _ => 0.1 };
    private readonly Option<double> _mu = new("--mu") { Description = "For camsat and imsat: weight of the entropy of the marginal.", HelpName = "X", DefaultValueFactory = _ => 4 };
    private readonly Option<double> _contrast = new("--info-nce") { Description = "For camsat: weight of InfoNCE between two views in the last hidden layer.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<double> _supCon = new("--sup-con") { Description = "For camsat: weight of SupCon between views of a row, and of rows of one class, in the last hidden layer.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<double> _mixup = new("--mixup") { Description = "For camsat and imsat: weight of mixup between rows.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<double> _share = new("--marginal-share") { Description = "For camsat and imsat: share of a batch in the running marginal, to 1; 0 for what suits batch and K.", HelpName = "X", DefaultValueFactory = _ => 0 };
    private readonly Option<int> _iterations = CommonOptions.Number("--iterations", "Most iterations of a start.", 100, "N");
    private readonly Option<double> _tolerance = new("--tolerance") { Description = "Stop when the objective falls by no more than this fraction; 0 until no label changes.", HelpName = "X", DefaultValueFactory = _ => 1e-5 };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of everything random.", HelpName = "N", DefaultValueFactory = _ => 0UL };

    public ClusterOptions(Command verb)
    {
        foreach (Option option in new Option[]
        {
            _k, _sweep, _method, _metric, _init, _empty, _linkage, _first, _restarts, _iterations, _tolerance, _views, _epochs, _batch, _hidden, _rate, _lambda,
            _mu, _share, _contrast, _supCon, _mixup, _seed,
        })
        {
            verb.Options.Add(option);
        }
    }

    /// <summary>Whether several numbers of clusters are tried.</summary>
    /// <param name="options">The parsed command line.</param>
    public bool Sweeps(ParseResult options) => options.GetValue(_sweep) is not null;

    /// <summary>The file of views, <c>none</c>, or null where it was left out.</summary>
    /// <param name="options">The parsed command line.</param>
    public string? Views(ParseResult options) => options.GetValue(_views);

    /// <summary>The numbers of clusters that are asked for: one, or those of a sweep.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <exception cref="InvalidOptionException">Neither or both are given, or a number is none.</exception>
    public int[] Clusters(ParseResult options)
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

    /// <summary>What is asked for, as the library takes it.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="clusters">How many clusters.</param>
    public ClusteringSettings Settings(ParseResult options, int clusters)
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

    /// <summary>Refuses values out of range, and options that do not go with the method or with several processes.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <exception cref="InvalidOptionException">Names the option and what to do.</exception>
    public void Check(ParseResult options)
    {
        RequireRanges(options);
        RequireMatchingMethod(options);
        RequireSharedMethod(options);
    }

    /// <summary>Refuses an option that was given for a method that has no use for it.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="option">The option.</param>
    /// <param name="methods">Those that it is for.</param>
    /// <exception cref="InvalidOptionException">The method is another.</exception>
    public void RequireMethod(ParseResult options, Option option, params string[] methods)
    {
        string method = options.GetValue(_method)!;
        if (options.GetResult(option) is { Implicit: false } && !methods.Contains(method))
        {
            throw new InvalidOptionException($"{option.Name} is not for --method {method}: it goes with {string.Join(", ", methods)}.");
        }
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

        void Require<T>(Option<T> option, Func<T?, bool> valid, string allowed) => CommonOptions.Require(options, option, valid, allowed);
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

        void Require(Option option, params string[] methods) => RequireMethod(options, option, methods);
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
}
