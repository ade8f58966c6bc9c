using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>ECAPA-TDNN (Desplanques, Thienpondt and Demuynck, arXiv:2005.07143).</summary>
/// <remarks>
/// Names: <c>stem</c>, <c>blocks.{0-2}</c> (see <see cref="SqueezeExciteRes2Block"/>), <c>aggregation.conv</c>,
/// <c>aggregation.norm</c> (sslsv), <c>pool.context</c>, <c>pool.norm</c> (sslsv), <c>pool.score</c>, <c>norm</c>, <c>embedding</c>.
/// </remarks>
public sealed class EcapaEncoder : Encoder
{
    private static readonly int[] Dilations = [2, 3, 4];

    private readonly FrameBlock _stem;
    private readonly SqueezeExciteRes2Block[] _blocks;
    private readonly Conv1dLayer _aggregation;
    private readonly BatchNormLayer? _aggregationNorm;
    private readonly AttentiveStatsParameters _pool;
    private readonly BatchNormLayer _norm;
    private readonly LinearLayer _embedding;

    internal EcapaEncoder(EncoderSpec spec, ParameterSet parameters, string prefix) : base(spec)
    {
        bool ours = spec.Variant == EncoderVariant.Sslsv;
        var padding = ours ? Padding.Reflect : Padding.Zero;
        int last = spec.LastWidth;
        _stem = new FrameBlock(parameters, prefix + "stem", spec.Bins, spec.Width, kernel: 5, padding: padding);
        _blocks = new SqueezeExciteRes2Block[Dilations.Length];
        for (int i = 0; i < _blocks.Length; i++)
        {
            _blocks[i] = new SqueezeExciteRes2Block(parameters, $"{prefix}blocks.{i}", spec, Dilations[i], padding);
        }

        _aggregation = new Conv1dLayer(parameters, prefix + "aggregation.conv", 3 * spec.Width, last);
        _aggregationNorm = ours ? new BatchNormLayer(parameters, prefix + "aggregation.norm", last) : null;
        var context = new LinearLayer(parameters, prefix + "pool.context", 3 * last, spec.Bottleneck);
        var norm = ours ? new BatchNormLayer(parameters, prefix + "pool.norm", spec.Bottleneck) : null;
        var score = new LinearLayer(parameters, prefix + "pool.score", spec.Bottleneck, last);
        _pool = new AttentiveStatsParameters(
            context.Weight, context.Bias, score.Weight, score.Bias, norm?.Gamma, norm?.Beta, norm?.RunningMean, norm?.RunningVariance);
        _norm = new BatchNormLayer(parameters, prefix + "norm", 2 * last);
        _embedding = new LinearLayer(parameters, prefix + "embedding", 2 * last, spec.EmbeddingSize);
    }

    /// <inheritdoc/>
    /// <remarks>Reflect padding mirrors up to 4 frames without the edge; the unbiased deviation of wespeaker needs two.</remarks>
    public override int MinimumFrames => Spec.Variant == EncoderVariant.Sslsv ? 5 : 2;

    private protected override Tensor Pool(Tape? tape, Tensor features, bool training)
    {
        int width = Spec.Width;
        var x = _stem.Forward(tape, features, training);

        // The blocks write side by side what the aggregation reads, so there is no concatenation.
        var all = features.Device.Workspace.Rent(new Shape(x.Shape[0], x.Shape[1], _blocks.Length * width));
        all.RequiresGrad = tape is not null;
        for (int i = 0; i < _blocks.Length; i++)
        {
            x = _blocks[i].Forward(tape, x, training, all.Channels(i * width, width));
        }

        if (_aggregationNorm is not null)
        {
            x = _aggregation.Forward(tape, all, _aggregationNorm, training, ActivationKind.Relu);
        }
        else
        {
            x = _aggregation.Forward(tape, all);
            x = Activation.Forward(tape, x, ActivationKind.Relu, output: x);
        }

        return Spec.Variant == EncoderVariant.Sslsv
            ? AttentiveStatsPool.Forward(tape, x, _pool, training)
            : AttentiveStatsPool.Forward(tape, x, _pool, training, eps: 1e-7f, context: PoolVariance.UnbiasedPlusEps);
    }

    private protected override Tensor Embed(Tape? tape, Tensor pooled, bool training) => _embedding.Forward(tape, _norm.Forward(tape, pooled, training));
}
