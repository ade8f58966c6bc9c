using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Numerics;

/// <summary>The <see cref="IStridedKernel"/> that fits the machine and the number of columns.</summary>
internal static unsafe class StridedProduct
{
    /// <summary>Elements of the largest tile.</summary>
    public const int TileElements = 12 * 32;

    /// <summary>Rows of a tile, whatever its width.</summary>
    public static int Height => Vector512.IsHardwareAccelerated ? StridedKernel512.Height : StridedKernel256.Height;

    /// <summary>Columns of the next strip where so many are left.</summary>
    public static int Width(int columns) =>
        Vector512.IsHardwareAccelerated && columns > StridedKernel512Narrow.Width ? StridedKernel512.Width : StridedKernel256.Width;

    /// <summary>Columns of all strips together: a multiple of the narrowest.</summary>
    public static int Padded(int columns)
    {
        int at = 0;
        while (at < columns)
        {
            at += Width(columns - at);
        }

        return at;
    }

    /// <summary>Runs the kernel of this width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int width, in StridedTile tile, float* c, nint strideC, bool accumulate)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            StridedKernel256.Run(tile, c, strideC, accumulate);
        }
        else if (width == StridedKernel512.Width)
        {
            StridedKernel512.Run(tile, c, strideC, accumulate);
        }
        else
        {
            StridedKernel512Narrow.Run(tile, c, strideC, accumulate);
        }
    }
}
