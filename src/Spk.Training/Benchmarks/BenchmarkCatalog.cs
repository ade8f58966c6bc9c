using Spk.Training.Benchmarks.Cases;

namespace Spk.Training.Benchmarks;

/// <summary>What <c>spk bench</c> can time.</summary>
public static class BenchmarkCatalog
{
    internal static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        .. AudioCases.Groups, .. FeatureCases.Groups, .. ProductCases.Groups, .. LayerCases.Groups, .. EncoderCases.Groups, .. LossCases.Groups,
        .. OptimizerCases.Groups, .. ClusterCases.Groups, .. ScoringCases.Groups, .. TrainingCases.Groups,
    ];

    /// <summary>Prefixes of the names of all cases, each with what is timed.</summary>
    public static IReadOnlyList<(string Prefix, string Summary)> All { get; } = [.. Groups.Select(g => (g.Prefix, g.Summary)).Distinct()];
}
