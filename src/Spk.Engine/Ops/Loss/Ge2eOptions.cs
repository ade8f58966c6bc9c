using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>What <see cref="Ge2e"/> is to compute.</summary>
public readonly record struct Ge2eOptions
{
    /// <summary>Creates the defaults: softmax form, centroids of unit rows, no weights.</summary>
    public Ge2eOptions() { }

    /// <summary>The form of the loss.</summary>
    public Ge2eForm Form { get; init; }

    /// <summary>Whether utterances are made unit rows before they are averaged to centroids.</summary>
    public bool NormalizeFirst { get; init; } = true;

    /// <summary>
    /// Constant weights, f32 [N] of the dialogues or [M·N] of the utterances, or null: the loss of row i is multiplied by weight i modulo their
    /// number, the mean still divides by M·N.
    /// </summary>
    public Tensor? Weights { get; init; }
}
