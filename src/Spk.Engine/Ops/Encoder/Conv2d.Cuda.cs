using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Conv2d
{
    private const string CudaSource = "encoder/conv2d";
    private const int CudaTile = 64, CudaThreads = 128, TurnThreads = 256;

    // Depth of a tile, as in common/gemm_math.cuh: parts of a sum are whole tiles.
    private const int TileK = 16;

    // Enough blocks for a large GPU, but no part of a sum shorter than what a tile costs to start: as in CudaGemm, which adds the parts.
    private const int WantedBlocks = 528, ShortestPart = 256, MostParts = 128;

    private static readonly KernelId[] CorrelateKernels = OfPrecisions("conv2d_correlate");
    private static readonly KernelId[] WeightGradientKernels = OfPrecisions("conv2d_weight_gradient");
    private static readonly KernelId TurnWeightsKernel = new(CudaSource, "conv2d_turn_weights");

    private static void CudaForward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor y)
    {
        int taps = g.TapsHeight * g.TapsWidth * g.Inputs;
        CudaCorrelate(cuda, Correlation.Forward(g, x, y), MatrixView.Of(weight.Data, g.Outputs, taps, taps), bias == null ? null : bias.Data, accumulate: false);
    }

    private static void CudaBackward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (weight.RequiresGrad)
        {
            CudaWeightGradient(cuda, g, x, dy, weight.GradForWrite(out bool adds), adds);
        }

        if (bias is { RequiresGrad: true })
        {
            Linear.CudaBiasGradient(cuda, dy, bias.GradForWrite(out bool adds), adds);
        }

        if (!x.RequiresGrad)
        {
            return;
        }

        var dx = x.GradForWrite(out bool accumulate);
        var turned = cuda.Workspace.Rent(weight.Shape);
        for (int row = 0; row < Math.Min(g.StrideHeight, g.Height); row++)
        {
            for (int column = 0; column < Math.Min(g.StrideWidth, g.Width); column++)
            {
                var map = Correlation.Gradient(g, dy, dx, row, column);
                int taps = map.TapsHeight * map.Run, elements = taps * map.Outputs;
                if (elements > 0)
                {
                    cuda.Launch(
                        TurnWeightsKernel, new LaunchShape((elements + TurnThreads - 1) / TurnThreads, TurnThreads), weight.Address, turned.Address,
                        map.Outputs, map.Channels, map.TapsHeight, map.TapsWidth, map.FirstHeight, map.FirstWidth, map.TapStepHeight, map.TapStepWidth,
                        g.TapsWidth, g.TapsHeight * g.TapsWidth);
                }

                CudaCorrelate(cuda, map, MatrixView.Of(turned.Data, map.Outputs, taps, taps), null, accumulate);
            }
        }
    }

    private static void CudaCorrelate(CudaDevice cuda, in Correlation map, MatrixView weights, float* bias, bool accumulate)
    {
        var windows = MapView.Of(map);
        if (windows.Rows == 0 || map.Outputs == 0)
        {
            return;
        }

        // Without taps nothing is read, but kernels divide by the width.
        weights.SegmentWidth = Math.Max(1, weights.SegmentWidth);
        windows.TapsWidth = Math.Max(1, windows.TapsWidth);
        var target = new MapTarget { Data = map.Target, Map = map.TargetItem, Row = map.TargetRow, Column = map.TargetColumn };
        int tiles = DivideUp(windows.Rows, CudaTile) * DivideUp(map.Outputs, CudaTile);
        cuda.Launch(
            CorrelateKernels[(int)cuda.Precision], new LaunchShape(tiles, CudaThreads, SharedBytes: CudaGemm.SharedBytes(cuda.Precision, CudaTile)),
            KernelArgument.Structure(&windows), KernelArgument.Structure(&weights), KernelArgument.Structure(&target), map.Outputs,
            map.TapsHeight * map.Run, bias, accumulate ? 1 : 0);
    }

    private static void CudaWeightGradient(CudaDevice cuda, in Geometry g, Tensor x, Tensor dy, Tensor dw, bool accumulate)
    {
        var windows = MapView.Of(Correlation.Forward(g, x, dy));
        var rows = MatrixView.Of(dy.Data, windows.Rows, g.Outputs, dy.RowStride);
        int m = g.Outputs, n = g.TapsHeight * g.TapsWidth * g.Inputs;
        if (m == 0 || n == 0)
        {
            return;
        }

        int tiles = DivideUp(m, CudaTile) * DivideUp(n, CudaTile);
        int parts = Math.Clamp(WantedBlocks / tiles, 1, Math.Clamp(windows.Rows / ShortestPart, 1, MostParts));
        int each = Math.Max(1, DivideUp(DivideUp(windows.Rows, parts), TileK)) * TileK;
        parts = Math.Max(1, DivideUp(windows.Rows, each));
        var kernel = WeightGradientKernels[(int)cuda.Precision];
        var shape = new LaunchShape(tiles, CudaThreads, parts, SharedBytes: CudaGemm.SharedBytes(cuda.Precision, CudaTile));
        var (first, second) = (KernelArgument.Structure(&rows), KernelArgument.Structure(&windows));
        if (parts == 1)
        {
            cuda.Launch(kernel, shape, first, second, dw.Address, n, m, n, accumulate ? 1 : 0, each);
            return;
        }

        var sums = cuda.Workspace.Rent(new Shape(parts, m, n));
        cuda.Launch(kernel, shape, first, second, sums.Address, n, m, n, 0, each);
        CudaGemm.AddSplits(cuda, sums.Address, parts, dw.Data, n, m, n, accumulate: accumulate);
    }

    private static KernelId[] OfPrecisions(string stem) =>
    [
        .. Enum.GetValues<Precision>().Select(
            precision => new KernelId(CudaSource, $"{stem}_{precision.ToString().ToLowerInvariant()}", CudaGemm.SharedBytes(precision, CudaTile))),
    ];

    private static int DivideUp(int value, int by) => (value + by - 1) / by;

    /// <summary>Field by field the MapView of engine/kernels/common/map_view.cuh.</summary>
    private struct MapView
    {
        public float* Data;
        public int Rows, RowsOfMap, WindowsOfRow;
        public int Height, Width, Channels, Stride;
        public int TapsHeight, TapsWidth, Top, Left, StrideHeight, StrideWidth;

        public static MapView Of(in Correlation map) => new()
        {
            Data = map.Source,
            Rows = map.Batch * map.Rows * map.Columns,
            RowsOfMap = map.Rows,
            WindowsOfRow = map.Columns,
            Height = map.Height,
            Width = map.Width,
            Channels = map.Channels,
            Stride = (int)map.SourceStride,
            TapsHeight = map.TapsHeight,
            TapsWidth = map.TapsWidth,
            Top = map.Top,
            Left = map.Left,
            StrideHeight = map.StrideHeight,
            StrideWidth = map.StrideWidth,
        };
    }

    /// <summary>Field by field the MapTarget of engine/kernels/encoder/conv2d.cu.</summary>
    private struct MapTarget
    {
        public float* Data;
        public long Map, Row, Column;
    }
}
