using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Encoders;

/// <summary>
/// Recurrent layers in one direction, mean and deviation of the last layer's states over time, and the embedding: the network that
/// autoregressive predictive coding (Chung et al., arXiv:1904.03240) pretrains, made an encoder of speakers.
/// </summary>
/// <remarks>Names: <c>gru</c> with those of <see cref="GruLayers"/>, and <c>embedding</c>.</remarks>
public sealed class GruEncoder : Encoder
{
    private readonly GruLayers _layers;
    private readonly LinearLayer _embedding;

    internal GruEncoder(EncoderSpec spec, ParameterSet parameters, string prefix) : base(spec)
    {
        _layers = new GruLayers(parameters, prefix + "gru", spec.Bins, spec.Width, spec.Layers);
        _embedding = new LinearLayer(parameters, prefix + "embedding", 2 * spec.Width, spec.EmbeddingSize);
    }

    /// <inheritdoc/>
    /// <remarks>A deviation needs two frames.</remarks>
    public override int MinimumFrames => 2;

    /// <summary>States of the last layer, which know nothing of later frames.</summary>
    /// <param name="tape">Where the backward pass is recorded; null for inference.</param>
    /// <param name="features">f32 [N, T, F].</param>
    /// <returns>f32 [N, T, width], valid until the workspace is reset.</returns>
    /// <exception cref="ShapeException">The features have other bins, or too few frames.</exception>
    public Tensor States(Tape? tape, Tensor features)
    {
        ArgumentNullException.ThrowIfNull(features);
        Check(features);
        return _layers.Forward(tape, features);
    }

    /// <summary>Embeddings of utterances whose states are known.</summary>
    /// <param name="tape">Where the backward pass is recorded; null for inference.</param>
    /// <param name="states">f32 [N, T, width] of <see cref="States"/>.</param>
    /// <returns>f32 [N, E], valid until the workspace is reset.</returns>
    public Tensor EmbedStates(Tape? tape, Tensor states) => _embedding.Forward(tape, StatsPool.Forward(tape, states));

    private protected override Tensor Pool(Tape? tape, Tensor features, bool training) => StatsPool.Forward(tape, _layers.Forward(tape, features));

    private protected override Tensor Embed(Tape? tape, Tensor pooled, bool training) => _embedding.Forward(tape, pooled);
}
