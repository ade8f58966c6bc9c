using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>
/// The x-vector network (Snyder et al., "X-vectors: robust DNN embeddings for speaker recognition", ICASSP 2018): five
/// unpadded frame layers, statistics pooling, a segment layer and the embedding.
/// </summary>
/// <remarks>
/// Names: <c>frames.{0-4}.conv</c>, <c>frames.{0-4}.norm</c>, <c>segment.linear</c>, <c>segment.norm</c>, <c>embedding</c>.
/// </remarks>
public sealed class TdnnEncoder : Encoder
{
    private static readonly int[] Kernels = [5, 3, 3, 1, 1];
    private static readonly int[] Dilations = [1, 2, 3, 1, 1];

    private readonly FrameBlock[] _frames;
    private readonly LinearLayer? _segment;
    private readonly BatchNormLayer? _segmentNorm;
    private readonly LinearLayer _embedding;

    internal TdnnEncoder(EncoderSpec spec, ParameterSet parameters, string prefix) : base(spec)
    {
        bool affine = spec.Variant == EncoderVariant.Sslsv;
        var activation = spec.Variant == EncoderVariant.Sslsv ? ActivationKind.LeakyRelu : ActivationKind.Relu;
        _frames = new FrameBlock[Kernels.Length];
        int inputs = spec.Bins;
        for (int i = 0; i < _frames.Length; i++)
        {
            int outputs = i == _frames.Length - 1 ? spec.LastWidth : spec.Width;
            _frames[i] = new FrameBlock(
                parameters, $"{prefix}frames.{i}", inputs, outputs, Kernels[i], Dilations[i], Padding.Valid, activation, affine);
            inputs = outputs;
        }

        inputs = 2 * spec.LastWidth;
        if (spec.Segment)
        {
            _segment = new LinearLayer(parameters, prefix + "segment.linear", inputs, spec.Width);
            _segmentNorm = new BatchNormLayer(parameters, prefix + "segment.norm", spec.Width, affine);
            inputs = spec.Width;
        }

        _embedding = new LinearLayer(parameters, prefix + "embedding", inputs, spec.EmbeddingSize);
    }

    /// <inheritdoc/>
    /// <remarks>The frame layers consume 14 frames, and a deviation needs two.</remarks>
    public override int MinimumFrames => 16;

    private protected override Tensor Pool(Tape? tape, Tensor features, bool training)
    {
        var x = features;
        foreach (var block in _frames)
        {
            x = block.Forward(tape, x, training);
        }

        return StatsPool.Forward(tape, x);
    }

    private protected override Tensor Embed(Tape? tape, Tensor pooled, bool training)
    {
        var x = pooled;
        if (_segment is not null && _segmentNorm is not null)
        {
            x = _segment.Forward(tape, x, _segmentNorm, training, ActivationKind.Relu);
        }

        return _embedding.Forward(tape, x);
    }
}
