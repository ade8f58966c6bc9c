using System.Globalization;
using Spk.Engine.Clustering;
using Spk.Interop;

namespace ClusterConsole;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    public const string Usage =
        """
        usage: ClusterConsole [FILE] [options]
          FILE              X.npy [N, D], or X.csv: a row a line, numbers, optionally a name first
          --k K | FROM-TO   number of clusters, or a range to choose from by silhouette (2-10)
          --metric M        euclidean or cosine (cosine)
          --seed N          seed of everything random (0)
          --out X.csv       where labels go
        Without a file it clusters a small demonstration.
        """;

    private int _from = 2;
    private int _to = 10;
    private bool _given;

    public string? File { get; private init; }

    public string? Out { get; private init; }

    public bool Help { get; private init; }

    public ClusterMetric Metric { get; private init; } = ClusterMetric.Cosine;

    public ulong Seed { get; private init; }

    /// <summary>The K to try. A range that nobody asked for ends where there are too few rows for it.</summary>
    public IEnumerable<int> Clusters(int rows)
    {
        int to = _given ? _to : Math.Min(_to, rows - 1);
        return Enumerable.Range(_from, Math.Max(1, to - _from + 1));
    }

    public static Arguments Parse(string[] args)
    {
        var parsed = new Arguments();
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            string Value() => ++i < args.Length ? args[i] : throw new InvalidOptionException($"{name} needs a value; --help shows which.");
            parsed = name switch
            {
                "-h" or "--help" => parsed with { Help = true },
                "--k" => parsed.WithClusters(Value()),
                "--metric" => parsed with { Metric = MetricOf(Value()) },
                "--seed" => parsed with { Seed = ulong.TryParse(Value(), out ulong seed) ? seed : throw new InvalidOptionException($"--seed {args[i]}: a whole number of 0 or more is needed.") },
                "--out" => parsed with { Out = Value() },
                _ when name.StartsWith('-') => throw new InvalidOptionException($"unknown option {name}; --help shows all."),
                _ when parsed.File is not null => throw new InvalidOptionException($"'{name}' is a second file; one at a time."),
                _ => parsed with { File = name },
            };
        }

        return parsed;
    }

    private Arguments WithClusters(string text)
    {
        string[] ends = text.Split('-');
        bool valid = int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int from)
            & int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int to)
            && ends.Length <= 2 && from >= 1 && to >= from;
        return valid
            ? this with { _from = from, _to = to, _given = true }
            : throw new InvalidOptionException($"--k {text}: a number of 1 or more is needed, or a range such as 2-10.");
    }

    private static ClusterMetric MetricOf(string name) => name switch
    {
        "cosine" => ClusterMetric.Cosine,
        "euclidean" => ClusterMetric.Euclidean,
        _ => throw new InvalidOptionException($"--metric {name}: allowed are euclidean and cosine."),
    };
}
