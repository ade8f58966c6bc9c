using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Gru
{
    // The rows of one frame of [N, T, C]: [N, C].
    private static MatrixView Frame(Tensor x, int frame) =>
        MatrixView.Of(x.Data + ((nint)frame * x.RowStride), x.Shape[0], x.Shape[2], x.Shape[1] * x.RowStride);

    // The state that every frame started from, [N·T, H]: the output one frame earlier, and zeros ahead of it.
    private static MatrixView Earlier(Tensor y) => new()
    {
        Data = y.Data,
        Rows = y.Shape.Rows,
        Inner = y.Shape[1],
        OuterStride = (nint)y.Shape[1] * y.RowStride,
        RowStride = y.RowStride,
        Segments = 1,
        SegmentWidth = y.Shape[2],
        Shift = -1,
        Positions = y.Shape[1],
        Edge = EdgeRows.Zero,
    };

    private static MatrixView Rows(Tensor x) => MatrixView.Of(x.Data, x.Shape.Rows, x.Shape.Last, x.RowStride);
}
