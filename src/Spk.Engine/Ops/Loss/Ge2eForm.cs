namespace Spk.Engine.Ops.Loss;

/// <summary>How <see cref="Ge2e"/> compares an utterance's own centroid with the others.</summary>
public enum Ge2eForm
{
    /// <summary>Cross-entropy over all centroids: −S_own + log Σ_k e^{S_k}.</summary>
    Softmax,

    /// <summary>Own centroid against the hardest other one: 1 − σ(S_own) + max_{k≠own} σ(S_k).</summary>
    Contrast,
}
