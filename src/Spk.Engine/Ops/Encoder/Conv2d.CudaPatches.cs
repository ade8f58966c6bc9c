using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Where Hopper's copy engine brings the tiles of the windows: engine/kernels/common/map_patches.cuh.</summary>
public static unsafe partial class Conv2d
{
    // Of the driver: steps between a box's elements, and what these cover along a dimension.
    private const int MostStep = 8, MostCovered = 256;

    private static readonly KernelId[] BulkCorrelateKernels = OnWarpgroups("conv2d_correlate_wgmma", "_bulk");
    private static readonly KernelId[] BulkGradientKernels = OnWarpgroups("conv2d_weight_gradient_wgmma", "_bulk");

    /// <summary>How a product over windows is computed: by Hopper's warpgroups, and with tiles that its copy engine brings as patches.</summary>
    private readonly record struct Route(bool OnWarpgroups, MapPatches? Patches)
    {
        /// <param name="cuda">The device.</param>
        /// <param name="map">The windows, and what they meet.</param>
        /// <param name="windows">Those of a tile.</param>
        public static Route Of(CudaDevice cuda, in Correlation map, int windows)
        {
            bool onWarpgroups = Suits(cuda, map);

            // The 64 channels of a box lie under one tap.
            bool onePerTap = map.TapsHeight * map.TapsWidth == 1 || map.Channels % WarpgroupK == 0;
            return new(
                onWarpgroups,
                onWarpgroups && onePerTap && WarpgroupGemm.HasBulkCopies(cuda)
                    ? MapPatches.Of(map.Batch, map.Rows, map.Columns, map.StrideHeight, map.StrideWidth, windows)
                    : null);
        }
    }

    /// <summary>Tiles of windows, each a patch of columns, rows and maps; field by field that of the kernels.</summary>
    internal struct MapPatches
    {
        public int WidthBits, HeightBits, Across, Down, Count;

        /// <summary>The patches that are fewest, and of those the widest, then the highest; null where the copy engine has no such steps.</summary>
        /// <param name="maps">How many there are.</param>
        /// <param name="rows">Of windows in a map.</param>
        /// <param name="columns">Windows in a row.</param>
        /// <param name="strideHeight">Rows of a map from one of windows to the next.</param>
        /// <param name="strideWidth">Columns from one window to the next.</param>
        /// <param name="windows">Those of a patch, a power of two.</param>
        public static MapPatches? Of(int maps, int rows, int columns, int strideHeight, int strideWidth, int windows)
        {
            if (Math.Max(strideHeight, strideWidth) > MostStep)
            {
                return null;
            }

            var best = new MapPatches { Count = int.MaxValue };
            for (int width = windows; width > 0; width /= 2)
            {
                for (int height = windows / width; height > 0; height /= 2)
                {
                    int across = DivideUp(columns, width), down = DivideUp(rows, height);
                    int count = across * down * DivideUp(maps, windows / (width * height));
                    if (count < best.Count && width * strideWidth <= MostCovered && height * strideHeight <= MostCovered)
                    {
                        best = new MapPatches
                        {
                            WidthBits = int.Log2(width),
                            HeightBits = int.Log2(height),
                            Across = across,
                            Down = down,
                            Count = count,
                        };
                    }
                }
            }

            return best;
        }
    }

    // Describes the rounded copy of as many maps, whose boxes are patches of so many windows.
    private static TensorMap Describe(CudaDevice cuda, in MapPatches patches, in MapView copy, int maps, int windows)
    {
        int width = 1 << patches.WidthBits, height = 1 << patches.HeightBits;
        return cuda.Driver.EncodeTensorMap(
            (nint)copy.Data, [copy.Stride, copy.Width, copy.Height, maps], [WarpgroupK, width, height, windows / (width * height)],
            [1, copy.StrideWidth, copy.StrideHeight, 1]);
    }
}
