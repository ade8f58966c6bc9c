using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>
/// Fast ResNet-34 with squeeze and excitation (Chung et al., "In defence of metric learning for speaker recognition", arXiv:2003.11982):
/// a 7 × 7 stem that halves the frequency axis, four stages of 3, 4, 6 and 3 blocks, pooling and the embedding.
/// </summary>
/// <remarks>
/// Names: <c>conv1</c>, <c>bn1</c>, <c>layer1.0</c> to <c>layer4.2</c> (see <see cref="SqueezeExciteResidualBlock"/>), with self-attentive
/// pooling <c>sap_linear</c> and <c>attention</c> ([D, 1]), and <c>fc</c>, the embedding. Maps are [N, H, W, C] with H the frequency.
/// </remarks>
public sealed class ResNetEncoder : Encoder
{
    private const float VarianceFloor = 1e-5f;

    private static readonly int[] BlocksOf34 = [3, 4, 6, 3];
    private static readonly int[] Strides = [1, 2, 2, 1];

    private readonly Conv2dLayer _stem;
    private readonly BatchNormLayer _stemNorm;
    private readonly SqueezeExciteResidualBlock[] _blocks;
    private readonly LinearLayer? _pool;
    private readonly Parameter? _attention;
    private readonly Parameter _weight, _bias;

    internal ResNetEncoder(EncoderSpec spec, ParameterSet parameters, string prefix) : this(spec, parameters, prefix, BlocksOf34) { }

    /// <summary>A network of other depths: blocks of the four stages.</summary>
    internal ResNetEncoder(EncoderSpec spec, ParameterSet parameters, string prefix, int[] blocksOfStages) : base(spec)
    {
        int channels = spec.Width, height = Half(spec.Bins);
        _stem = new Conv2dLayer(parameters, prefix + "conv1", 1, channels, 7, strideHeight: 2);
        _stemNorm = new BatchNormLayer(parameters, prefix + "bn1", channels);
        var blocks = new List<SqueezeExciteResidualBlock>();
        for (int stage = 0; stage < Strides.Length; stage++)
        {
            int outputs = spec.Width << stage;
            for (int i = 0; i < blocksOfStages[stage]; i++)
            {
                blocks.Add(new SqueezeExciteResidualBlock(parameters, $"{prefix}layer{stage + 1}.{i}", channels, outputs, i == 0 ? Strides[stage] : 1));
                channels = outputs;
            }

            height = Strides[stage] == 2 ? Half(height) : height;
        }

        _blocks = [.. blocks];
        Initializer initializer;
        if (spec.Pooling == EncoderPooling.Sap)
        {
            _pool = new LinearLayer(parameters, prefix + "sap_linear", channels, channels);
            _attention = parameters.Add(prefix + "attention", new Shape(channels, 1), Initializer.XavierNormal(1, channels));
            initializer = Initializer.UniformFanIn(channels);
            _weight = parameters.Add(prefix + "fc.weight", new Shape(spec.EmbeddingSize, channels), initializer);
        }
        else
        {
            // Statistics are pooled row by row of the map, and the weight is kept in that order instead of reordering them.
            initializer = Initializer.UniformFanIn(2 * height * channels);
            _weight = parameters.Add(prefix + "fc.weight", new Shape(spec.EmbeddingSize, height, 2 * channels), initializer, ParameterLayout.FlattenedMap);
        }

        _bias = parameters.Add(prefix + "fc.bias", new Shape(spec.EmbeddingSize), initializer);
    }

    /// <inheritdoc/>
    /// <remarks>Zeros stand beyond the borders, and a pooled variance over one frame is its floor.</remarks>
    public override int MinimumFrames => 1;

    private protected override Tensor Pool(Tape? tape, Tensor features, bool training)
    {
        var workspace = features.Device.Workspace;
        int items = features.Shape[0];
        var x = Transpose.Forward(tape, features);
        x = workspace.Reshape(x, new Shape(items, x.Shape[1], x.Shape[2], 1));
        x = _stem.Forward(tape, x, _stemNorm, training);
        x = Activation.Forward(tape, x, ActivationKind.Relu, output: x);
        foreach (var block in _blocks)
        {
            x = block.Forward(tape, x, training);
        }

        if (_pool is not null && _attention is not null)
        {
            return SelfAttentivePool.Forward(tape, x, _pool.Weight, _pool.Bias, _attention);
        }

        int height = x.Shape[1];
        x = workspace.Reshape(x, new Shape(items * height, x.Shape[2], x.Shape[3]));
        x = StatsPool.Forward(tape, x, VarianceFloor, PoolVariance.BiasedClamped);
        return workspace.Reshape(x, new Shape(items, height * x.Shape[1]));
    }

    private protected override Tensor Embed(Tape? tape, Tensor pooled, bool training)
    {
        var weight = _pool is null ? pooled.Device.Workspace.Reshape(_weight.Value, new Shape(_weight.Shape[0], _weight.Shape[1] * _weight.Shape[2])) : _weight.Value;
        return Linear.Forward(tape, pooled, weight, _bias.Value);
    }

    private static int Half(int length) => (length + 1) / 2;
}
