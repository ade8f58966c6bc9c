using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Encoders;

/// <summary>
/// A Res2 layer (Gao et al., arXiv:1904.01169): the channels in groups, each convolved together with the result of the group
/// before it, one group passed on untouched (the first in sslsv, the last in wespeaker).
/// </summary>
/// <remarks>Names: <c>{0 to groups − 2}.conv</c> and <c>.norm</c>.</remarks>
public sealed class Res2Layer
{
    private readonly FrameBlock[] _groups;
    private readonly Res2Chain.Stage[] _stages;
    private readonly int _width, _taps, _dilation;
    private readonly Padding _padding;
    private readonly bool _firstUntouched;

    /// <summary>Declares the parameters.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="channels">C, a multiple of <paramref name="groups"/>.</param>
    /// <param name="groups">Groups of channels, 2 or more.</param>
    /// <param name="kernel">Taps.</param>
    /// <param name="dilation">Frames from tap to tap.</param>
    /// <param name="padding">What lies beyond the ends.</param>
    /// <param name="variant">Which group is passed on untouched.</param>
    /// <exception cref="InvalidOptionException">There are fewer than two groups, or the channels cannot be shared evenly.</exception>
    public Res2Layer(
        ParameterSet parameters, string name, int channels, int groups, int kernel, int dilation, Padding padding, EncoderVariant variant)
    {
        if (groups < 2 || channels % groups != 0)
        {
            throw new InvalidOptionException($"A Res2 layer shares its channels evenly among two groups or more, which {channels} channels and {groups} groups do not.");
        }

        (_width, _taps, _dilation, _padding) = (channels / groups, kernel, dilation, padding);
        _firstUntouched = variant == EncoderVariant.Sslsv;
        _groups = new FrameBlock[groups - 1];
        for (int i = 0; i < _groups.Length; i++)
        {
            _groups[i] = new FrameBlock(parameters, $"{name}.{i}", _width, _width, kernel, dilation, padding);
        }

        _stages = [.. _groups.Select(group => new Res2Chain.Stage(
            group.Convolution.Weight, group.Convolution.Bias, group.Norm.RunningMean, group.Norm.RunningVariance, group.Norm.Gamma!, group.Norm.Beta!))];
    }

    internal IReadOnlyList<FrameBlock> Groups => _groups;

    internal ReadOnlySpan<Res2Chain.Stage> Stages => _stages;

    /// <summary>Runs the layer.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">
    /// [N, T, C]. Its groups may be overwritten by the sums that the convolutions read, so its producer must not need it
    /// in its own backward step; a batch norm does not.
    /// </param>
    /// <param name="training">Whether the norms use and record the statistics of this batch.</param>
    /// <returns>[N, T, C].</returns>
    public Tensor Forward(Tape? tape, Tensor x, bool training)
    {
        ArgumentNullException.ThrowIfNull(x);
        var y = x.Device.Workspace.Rent(x.Shape);
        if (tape is null && !training && Res2Chain.Suits(x, _width, _stages.Length, _taps, _dilation, _padding))
        {
            Res2Chain.Forward(x, _stages, _firstUntouched, _dilation, _padding, y);
            return y;
        }

        y.RequiresGrad = tape is not null;
        int untouched = _firstUntouched ? 0 : _groups.Length;
        Add.Copy(tape, Group(x, untouched), Group(y, untouched));
        int at = _firstUntouched ? 1 : 0;
        var group = Group(x, at);
        for (int i = 0; i < _groups.Length; i++, at++)
        {
            // Each norm adds its result to the next group while it writes it.
            var next = i + 1 < _groups.Length ? Group(x, at + 1) : null;
            _groups[i].Forward(tape, group, training, Group(y, at), next);
            group = next!;
        }

        return y;
    }

    private Tensor Group(Tensor tensor, int index) => tensor.Channels(index * _width, _width);
}
