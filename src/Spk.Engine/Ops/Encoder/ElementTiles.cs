using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

/// <summary>The launch of kernels that visit every element of a possibly strided matrix: see engine/kernels/common/element_tiles.cuh.</summary>
internal static class ElementTiles
{
    private const int Columns = 32, Each = 4, Rows = 8;

    public static LaunchShape Of(Shape shape) =>
        new((shape.Rows + Rows - 1) / Rows, Columns, (shape.Last + (Columns * Each) - 1) / (Columns * Each), BlockY: Rows);
}
