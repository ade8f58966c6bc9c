using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// What <see cref="SimilaritySoftmax"/> is to compute. Row i of the queries is an anchor whose positive is row i of the keys;
/// the other candidates are its negatives.
/// </summary>
/// <remarks>
/// <list type="table">
/// <listheader><term>Loss</term><description>Setting</description></listheader>
/// <item><term>NT-Xent, InfoNCE, A-Proto</term><description>queries and keys; A-Proto passes prototypes as keys and τ = 1/w.</description></item>
/// <item><term>symmetric NT-Xent, AvA of two utterances</term><description><see cref="Symmetric"/>.</description></item>
/// <item><term>AvA of more utterances</term><description>
/// <see cref="AllVersusAll"/>: the same rows as queries and keys, once for each <see cref="PositiveOffset"/>.
/// </description></item>
/// <item><term>MoCo</term><description>
/// <see cref="Memory"/> holds the queue, <see cref="KeysAreNegatives"/> is false, keys need no gradient.
/// </description></item>
/// <item><term>oracle without class collisions</term><description>
/// <see cref="QueryLabels"/>, <see cref="KeyLabels"/> and <see cref="MemoryLabels"/>.
/// </description></item>
/// </list>
/// </remarks>
public readonly record struct SimilaritySoftmaxOptions
{
    /// <summary>Creates the defaults: temperature 0.03, no margin, one direction.</summary>
    public SimilaritySoftmaxOptions() { }

    /// <summary>τ, above 0: cosines are divided by it before the softmax.</summary>
    public float Temperature { get; init; } = 0.03f;

    /// <summary>
    /// w, f32 [1] or null: cosines are multiplied by max(w, 1e-6) instead of being divided by τ. It gets a gradient where it requires one;
    /// an offset of the logits has none, as it cancels. Excludes a margin.
    /// </summary>
    public Tensor? Scale { get; init; }

    /// <summary>
    /// Constant weights of the anchors, f32 [n], or null: the loss of anchor i is multiplied by weight i mod n, the mean still divides by the
    /// number of anchors. n divides that number.
    /// </summary>
    public Tensor? AnchorWeights { get; init; }

    /// <summary>What the loss is multiplied by, finite: 1/P for one of P losses that are averaged.</summary>
    public float Factor { get; init; } = 1f;

    /// <summary>
    /// The positive of query i is key i + offset, counted around the end; 0 to N − 1. Above 0 it needs as many keys as queries and excludes
    /// <see cref="Symmetric"/>.
    /// </summary>
    public int PositiveOffset { get; init; }

    /// <summary>
    /// Above 0: rows are views of so many items, view after view, and a key of the anchor's own item (its index modulo this) that is not the
    /// positive is no negative. Excludes <see cref="Symmetric"/>, which knows its two views.
    /// </summary>
    public int ItemCount { get; init; }

    /// <summary>Margin on the positive logit, in numerator and denominator.</summary>
    public MarginKind Margin { get; init; }

    /// <summary>m: 0 to 2 for <see cref="MarginKind.Additive"/>, 0 to π/2 radians for <see cref="MarginKind.AdditiveAngular"/>.</summary>
    public float MarginValue { get; init; }

    /// <summary>
    /// Anchors are the rows of both tensors, N each; every one sees all 2N − 1 other rows, of which one is its positive.
    /// Excludes <see cref="Memory"/>.
    /// </summary>
    public bool Symmetric { get; init; }

    /// <summary>Further negatives of every anchor, f32 [Q, D], constant (a queue of past keys), or null.</summary>
    public Tensor? Memory { get; init; }

    /// <summary>Whether the keys of other anchors are negatives (default). Must be true where <see cref="Symmetric"/> is.</summary>
    public bool KeysAreNegatives { get; init; } = true;

    /// <summary>
    /// Labels i32 [N] of the queries, or null. A candidate with the anchor's label that is not its positive gets logit −∞. With
    /// <see cref="Symmetric"/> they are the labels of both views.
    /// </summary>
    public Tensor? QueryLabels { get; init; }

    /// <summary>Labels i32 [M] of the keys; null means those of the queries.</summary>
    public Tensor? KeyLabels { get; init; }

    /// <summary>Labels i32 [Q] of the memory; null means that no row of it is masked.</summary>
    public Tensor? MemoryLabels { get; init; }
}
