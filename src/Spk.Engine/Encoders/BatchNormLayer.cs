using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>
/// Batch norm with its parameters <c>weight</c> and <c>bias</c> [C] (1 and 0 at first) and buffers <c>running_mean</c> and
/// <c>running_var</c> [C].
/// </summary>
public sealed class BatchNormLayer
{
    private readonly BatchNormEpilogue _epilogue = new();

    /// <summary>Declares the parameters.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="channels">Channels.</param>
    /// <param name="affine">False for a norm without scale and offset.</param>
    public BatchNormLayer(ParameterSet parameters, string name, int channels, bool affine = true)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var shape = new Shape(channels);
        if (affine)
        {
            Gamma = parameters.Add(name + ".weight", shape, Initializer.Constant(1f));
            Beta = parameters.Add(name + ".bias", shape, Initializer.Constant(0f));
        }

        RunningMean = parameters.AddBuffer(name + ".running_mean", shape, 0f);
        RunningVariance = parameters.AddBuffer(name + ".running_var", shape, 1f);
    }

    /// <summary>Scale [C], or null.</summary>
    public Parameter? Gamma { get; }

    /// <summary>Offset [C], or null.</summary>
    public Parameter? Beta { get; }

    /// <summary>Buffer [C].</summary>
    public Parameter RunningMean { get; }

    /// <summary>Buffer [C]; unbiased variances.</summary>
    public Parameter RunningVariance { get; }

    /// <summary>Normalises activation(x).</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">[..., C].</param>
    /// <param name="training">Whether to use and record the statistics of this batch.</param>
    /// <param name="before">Activation ahead of the norm: none, ReLU or leaky ReLU (slope 0.01).</param>
    /// <param name="output">Where to write; null for a new tensor.</param>
    /// <returns>[..., C].</returns>
    public Tensor Forward(Tape? tape, Tensor x, bool training, ActivationKind? before = null, Tensor? output = null) =>
        BatchNorm.Forward(tape, x, Gamma, Beta, RunningMean, RunningVariance, training, output: output, before: before);

    /// <summary>Normalises activation(map(x)): what the map can do for the norm is done where its results are at hand.</summary>
    internal Tensor Follow(INormedMap map, Tape? tape, Tensor x, bool training, ActivationKind? before, Tensor? output = null, Tensor? addTo = null)
    {
        BatchNorm.Prepare(_epilogue, tape, Gamma, Beta, RunningMean, RunningVariance, training, before: before);
        return FollowPrepared(map, tape, x, training, before, output, addTo);
    }

    /// <summary>The same, with the means over time of the result, [N, C], where the map can sum them by the way; else they are null.</summary>
    internal Tensor FollowWithMeans(INormedMap map, Tape? tape, Tensor x, bool training, ActivationKind? before, out Tensor? timeMeans)
    {
        BatchNorm.Prepare(_epilogue, tape, Gamma, Beta, RunningMean, RunningVariance, training, before: before);
        _epilogue.WantTimeMeans();
        var y = FollowPrepared(map, tape, x, training, before, null, null);
        timeMeans = _epilogue.TakeTimeMeans();
        return y;
    }

    private Tensor FollowPrepared(INormedMap map, Tape? tape, Tensor x, bool training, ActivationKind? before, Tensor? output, Tensor? addTo)
    {
        var y = map.Forward(tape, x, _epilogue.Normalizes ? output : null, _epilogue);
        return BatchNorm.Forward(
            tape, y, Gamma, Beta, RunningMean, RunningVariance, training, output: output, before: before, epilogue: _epilogue, addTo: addTo);
    }
}
