using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

/// <summary>The matrices whose products are the convolution and its gradients, on any device.</summary>
public static unsafe partial class Conv1d
{
    // Row (item, output frame): the input channels of every tap.
    private static MatrixView Windows(in Geometry g, Tensor x) => new()
    {
        Data = x.Data,
        Rows = g.Batch * g.OutputFrames,
        Inner = g.OutputFrames,
        OuterStride = (nint)g.InputFrames * x.RowStride,
        RowStride = x.RowStride,
        Segments = g.Taps,
        SegmentWidth = g.InputChannels,
        Step = g.Dilation,
        Shift = -g.Pad,
        Positions = g.InputFrames,
        Edge = g.Padding == Padding.Reflect ? EdgeRows.Reflect : EdgeRows.Zero,
    };

    // Row (tap, output channel) of the weight: taps are the outer index.
    private static MatrixView Taps(in Geometry g, Tensor weight) => new()
    {
        Data = weight.Data,
        Rows = g.Taps * g.OutputChannels,
        Inner = g.OutputChannels,
        OuterStride = g.InputChannels,
        RowStride = (nint)g.Taps * g.InputChannels,
        Segments = 1,
        SegmentWidth = g.InputChannels,
        Positions = g.OutputChannels,
    };

    // Row (output channel): the whole kernel.
    private static MatrixView Kernels(in Geometry g, Tensor weight) =>
        MatrixView.Of(weight.Data, g.OutputChannels, g.Taps * g.InputChannels, g.Taps * g.InputChannels);

    // Row (output channel) of one tap of the weight.
    private static MatrixView Tap(in Geometry g, Tensor weight, int tap) =>
        MatrixView.Of(weight.Data + (tap * g.InputChannels), g.OutputChannels, g.InputChannels, g.Taps * g.InputChannels);

    // dx[t] = Σ_k dy[t − k·dilation + pad] W_k: windows of dy, read backwards in time and zero beyond its ends. Padded: the rows of
    // the padded signal instead of the signal.
    private static MatrixView GradientWindows(in Geometry g, Tensor dy, bool padded)
    {
        int frames = padded ? g.InputFrames + (2 * g.Pad) : g.InputFrames;
        return new MatrixView
        {
            Data = dy.Data,
            Rows = g.Batch * frames,
            Inner = frames,
            OuterStride = (nint)g.OutputFrames * dy.RowStride,
            RowStride = dy.RowStride,
            Segments = g.Taps,
            SegmentWidth = g.OutputChannels,
            Step = -g.Dilation,
            Shift = padded ? 0 : g.Pad,
            Positions = g.OutputFrames,
            Edge = EdgeRows.Zero,
        };
    }
}
