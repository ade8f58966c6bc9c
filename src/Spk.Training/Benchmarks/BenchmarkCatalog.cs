using Spk.Training.Benchmarks.Cases;

namespace Spk.Training.Benchmarks;

/// <summary>What <c>spk bench</c> can time.</summary>
public static class BenchmarkCatalog
{
    internal static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        .. AudioCases.Groups, .. FeatureCases.Groups, .. ProductCases.Groups, .. LayerCases.Groups, .. EncoderCases.Groups, .. EncoderLayerCases.Groups, .. LossCases.Groups,
        .. OptimizerCases.Groups, .. ClusterCases.Groups, .. ScoringCases.Groups, .. TrainingCases.Groups,
    ];

    /// <summary>Prefixes of the names of all cases, each with what is timed.</summary>
    public static IReadOnlyList<(string Prefix, string Summary)> All { get; } = [.. Groups.Select(g => (g.Prefix, g.Summary)).Distinct()];

    /// <summary>The groups that may hold cases asked for. Of those whose prefixes a name starts with it is the longest: <c>kmeans_small</c> is none of <c>kmeans</c>.</summary>
    /// <param name="asked">What keys start with (<see cref="BenchmarkOptions.Cases"/>); all groups where nothing is asked for.</param>
    internal static IEnumerable<BenchmarkGroup> GroupsOf(IReadOnlyList<string> asked) =>
        Groups.Where(group => asked.Count == 0 || asked.Any(key => group.Prefix.StartsWith(key, StringComparison.Ordinal) || group.Prefix == LongestPrefix(key)));

    private static string? LongestPrefix(string key) => Groups.Select(g => g.Prefix).Where(prefix => key.StartsWith(prefix, StringComparison.Ordinal)).MaxBy(prefix => prefix.Length);
}
