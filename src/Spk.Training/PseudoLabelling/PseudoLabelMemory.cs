using Spk.Engine.Clustering;
using Spk.Training.Recipes;

namespace Spk.Training.PseudoLabelling;

/// <summary>What rounds need of memory, found before any of it is taken.</summary>
/// <param name="Utterances">N, training utterances.</param>
/// <param name="Clustering">Host: embeddings twice, as they are and normalised, and scratch of k-means; bytes. The corpus comes on top where it is not packed.</param>
/// <param name="Training">Training on as many classes as there are clusters.</param>
public sealed record PseudoLabelMemory(int Utterances, long Clustering, TrainingMemory Training)
{
    /// <summary>Estimates both.</summary>
    /// <param name="recipe">A recipe with rounds.</param>
    /// <param name="utterances">N.</param>
    /// <exception cref="Spk.Interop.SpkException">The recipe cannot be built.</exception>
    public static PseudoLabelMemory Estimate(Recipe recipe, int utterances)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        var spec = recipe.Rounds.Clustering;
        int dimension = recipe.ResolvedEncoder.EmbeddingSize;
        int fit = Math.Min(spec.Method == "pseudo" && spec.FirstClusters > 0 ? spec.FirstClusters : spec.Clusters, utterances);
        long scratch = KMeans.EstimateScratchBytes(utterances, dimension, new KMeansOptions { Clusters = fit, Restarts = spec.Restarts });

        // Methods that build a tree of all rows store half the distances of all pairs in f32.
        long tree = spec.Method == "ahc" ? 2L * utterances * utterances : 0;
        return new PseudoLabelMemory(utterances, (2L * utterances * dimension * sizeof(float)) + Math.Max(scratch, tree), TrainingMemory.Estimate(recipe, spec.Clusters));
    }
}
