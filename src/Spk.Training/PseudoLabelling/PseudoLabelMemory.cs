using Spk.Engine.Devices;
using Spk.Training.Recipes;

namespace Spk.Training.PseudoLabelling;

/// <summary>What rounds need of memory, found before any of it is taken.</summary>
/// <param name="Utterances">N, training utterances.</param>
/// <param name="Clustering">To embed and cluster them, views included. The corpus comes on top where it is not packed.</param>
/// <param name="Training">Training on as many classes as there are clusters.</param>
public sealed record PseudoLabelMemory(int Utterances, ClusteringMemory Clustering, TrainingMemory Training)
{
    /// <summary>Estimates both.</summary>
    /// <param name="recipe">A recipe with rounds.</param>
    /// <param name="utterances">N.</param>
    /// <param name="device">Where the rounds compute.</param>
    /// <exception cref="Spk.Interop.SpkException">The recipe cannot be built.</exception>
    public static PseudoLabelMemory Estimate(Recipe recipe, int utterances, Device device)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        var spec = recipe.Rounds.Clustering;
        int dimension = recipe.ResolvedEncoder.EmbeddingSize;
        var clustering = ClusteringMemory.Estimate(utterances, dimension, spec.Settings(0), device, spec.ViewsToEmbed);

        // Embeddings as they came, as the table of the round, and once more where they are standardised.
        long copies = spec.Normalization == RowNormalization.UnitLength ? 1 : 2;
        return new PseudoLabelMemory(
            utterances,
            clustering with { Host = clustering.Host + (copies * utterances * dimension * sizeof(float)) },
            TrainingMemory.Estimate(recipe, spec.Clusters));
    }
}
