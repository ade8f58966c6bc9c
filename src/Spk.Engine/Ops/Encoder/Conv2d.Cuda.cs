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
    // On Hopper's warpgroups: rows of a tile, its depth and the blocks that fill a large GPU; operands are rounded in units of 8 elements.
    private const int WarpgroupRows = 128, WarpgroupK = WarpgroupGemm.TileK, WarpgroupThreads = 256, WarpgroupBlocks = 264, Unit = 8;

    // Narrow tiles, of up to 64 output channels, then wide ones.
    private static readonly KernelId[] WarpgroupCorrelateKernels = OnWarpgroups("conv2d_correlate_wgmma", "");
    private static readonly KernelId[] WarpgroupGradientKernels = OnWarpgroups("conv2d_weight_gradient_wgmma", "");

    private static readonly KernelId TurnWeightsKernel = new(CudaSource, "conv2d_turn_weights");

    private static void CudaForward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, BatchNormEpilogue? norm, Tensor y)
    {
        var map = Correlation.Forward(g, x, y);
        var epilogue = new ProductEpilogue(bias, norm);
        var route = Route.Of(cuda, map, WarpgroupRows);

        // A tile's number tells how many rows were measured: not where windows are missing in the midst of the patches.
        bool measures = route.Patches is not { } patches || patches.Count * WarpgroupRows == y.Shape.Rows;
        if (measures && norm?.RentMoments(y, route.OnWarpgroups ? WarpgroupRows : CudaTile) is { } moments)
        {
            epilogue.Moments = moments.Data;
        }

        var before = cuda.Workspace.Position;
        int taps = g.TapsHeight * g.TapsWidth * g.Inputs;
        var rounded = new RoundedMaps();
        CudaCorrelate(cuda, map, route, MatrixView.Of(weight.Data, g.Outputs, taps, taps), epilogue, accumulate: false, ref rounded);
        cuda.Workspace.Advance(before);
    }

    private static void CudaBackward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (bias is { RequiresGrad: true })
        {
            Linear.CudaBiasGradient(cuda, dy, bias.GradForWrite(out bool adds), adds);
        }

        bool addsToWeight = false, addsToMaps = false;
        var dw = weight.RequiresGrad ? weight.GradForWrite(out addsToWeight) : null;
        var dx = x.RequiresGrad ? x.GradForWrite(out addsToMaps) : null;

        // What follows in the workspace is of this pass only.
        var before = cuda.Workspace.Position;
        var rounded = new RoundedMaps();
        if (dw is not null)
        {
            CudaWeightGradient(cuda, g, x, dy, dw, addsToWeight, ref rounded);
        }

        if (dx is not null)
        {
            CudaMapGradient(cuda, g, weight, dy, dx, addsToMaps, ref rounded);
        }

        cuda.Workspace.Advance(before);
    }

    private static void CudaMapGradient(CudaDevice cuda, in Geometry g, Tensor weight, Tensor dy, Tensor dx, bool accumulate, ref RoundedMaps rounded)
    {
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

                var route = Route.Of(cuda, map, WarpgroupRows);
                CudaCorrelate(cuda, map, route, MatrixView.Of(turned.Data, map.Outputs, taps, taps), default, accumulate, ref rounded);
            }
        }
    }

    private static void CudaCorrelate(
        CudaDevice cuda, in Correlation map, in Route route, MatrixView weights, ProductEpilogue epilogue, bool accumulate, ref RoundedMaps rounded)
    {
        var windows = MapView.Of(map);
        if (windows.Rows == 0 || map.Outputs == 0)
        {
            return;
        }

        int k = map.TapsHeight * map.Run, wide = map.Outputs > CudaTile ? 1 : 0;
        var target = new MapTarget { Data = map.Target, Map = map.TargetItem, Row = map.TargetRow, Column = map.TargetColumn };
        KernelId kernel;
        LaunchShape shape;
        if (route.OnWarpgroups)
        {
            rounded.Replace(cuda, ref windows, map.Batch);
            WarpgroupGemm.Round(cuda, ref weights);
            int columns = CudaTile << wide, across = DivideUp(map.Outputs, columns);
            if (route.Patches is { } patches)
            {
                TensorMap ofMaps = Describe(cuda, patches, windows, map.Batch, WarpgroupRows), ofWeights = WarpgroupGemm.Map(cuda, weights, columns);
                kernel = BulkCorrelateKernels[wide];
                cuda.Launch(
                    kernel, new LaunchShape(patches.Count * across, WarpgroupGemm.BulkThreads, SharedBytes: kernel.SharedBytes),
                    KernelArgument.Structure(&ofMaps), KernelArgument.Structure(&windows), KernelArgument.Structure(&patches),
                    KernelArgument.Structure(&ofWeights), KernelArgument.Structure(&weights), KernelArgument.Structure(&target), map.Outputs, k,
                    KernelArgument.Structure(&epilogue), accumulate ? 1 : 0);
                return;
            }

            kernel = WarpgroupCorrelateKernels[wide];
            int tiles = DivideUp(windows.Rows, WarpgroupRows) * across;
            shape = new LaunchShape(tiles, WarpgroupThreads, SharedBytes: kernel.SharedBytes);
        }
        else
        {
            // Without taps nothing is read, but kernels divide by the width.
            weights.SegmentWidth = Math.Max(1, weights.SegmentWidth);
            windows.TapsWidth = Math.Max(1, windows.TapsWidth);
            kernel = CorrelateKernels[(int)cuda.Precision];
            int tiles = DivideUp(windows.Rows, CudaTile) * DivideUp(map.Outputs, CudaTile);
            shape = new LaunchShape(tiles, CudaThreads, SharedBytes: CudaGemm.SharedBytes(cuda.Precision, CudaTile));
        }

        cuda.Launch(
            kernel, shape, KernelArgument.Structure(&windows), KernelArgument.Structure(&weights), KernelArgument.Structure(&target), map.Outputs, k,
            KernelArgument.Structure(&epilogue), accumulate ? 1 : 0);
    }

    private static void CudaWeightGradient(
        CudaDevice cuda, in Geometry g, Tensor x, Tensor dy, Tensor dw, bool accumulate, ref RoundedMaps roundedGradient)
    {
        var map = Correlation.Forward(g, x, dy);
        var windows = MapView.Of(map);
        var rows = MatrixView.Of(dy.Data, windows.Rows, g.Outputs, dy.RowStride);
        int m = g.Outputs, n = g.TapsHeight * g.TapsWidth * g.Inputs;
        if (m == 0 || n == 0)
        {
            return;
        }

        // Suits looks at the copy of x; that of dy has channels by eights.
        long copied = (long)windows.Rows * DivideUp(g.Outputs, Unit) * Unit;
        var route = copied is > 0 and <= int.MaxValue ? Route.Of(cuda, map, WarpgroupK) : default;
        int wide = g.Outputs > CudaTile ? 1 : 0;
        int tiles = route.OnWarpgroups ? DivideUp(m, CudaTile << wide) * DivideUp(n, WarpgroupRows) : DivideUp(m, CudaTile) * DivideUp(n, CudaTile);
        int parts, each;
        if (route.OnWarpgroups)
        {
            var roundedMaps = new RoundedMaps();
            roundedMaps.Replace(cuda, ref windows, g.Batch);
            roundedGradient.Replace(cuda, ref rows);
            int sum = route.Patches is { } all ? all.Count * WarpgroupK : windows.Rows;
            (parts, each) = CudaGemm.Split(sum, tiles, WarpgroupBlocks, WarpgroupK);
        }
        else
        {
            parts = Math.Clamp(WantedBlocks / tiles, 1, Math.Clamp(windows.Rows / ShortestPart, 1, MostParts));
            each = Math.Max(1, DivideUp(DivideUp(windows.Rows, parts), TileK)) * TileK;
            parts = Math.Max(1, DivideUp(windows.Rows, each));
        }

        nint sums = parts == 1 ? dw.Address : cuda.Workspace.Rent(new Shape(parts, m, n)).Address;
        int adds = accumulate && parts == 1 ? 1 : 0;
        if (route.Patches is { } patches)
        {
            var ofRows = MapView.OfPlaces(map, rows);
            TensorMap ofGradient = Describe(cuda, patches, ofRows, g.Batch, WarpgroupK), ofMaps = Describe(cuda, patches, windows, g.Batch, WarpgroupK);
            var kernel = BulkGradientKernels[wide];
            cuda.Launch(
                kernel, new LaunchShape(tiles, WarpgroupGemm.BulkThreads, parts, SharedBytes: kernel.SharedBytes), KernelArgument.Structure(&ofGradient),
                KernelArgument.Structure(&ofRows), KernelArgument.Structure(&ofMaps), KernelArgument.Structure(&windows),
                KernelArgument.Structure(&patches), sums, n, m, n, adds, each / WarpgroupK);
        }
        else
        {
            var kernel = route.OnWarpgroups ? WarpgroupGradientKernels[wide] : WeightGradientKernels[(int)cuda.Precision];
            int threads = route.OnWarpgroups ? WarpgroupThreads : CudaThreads;
            cuda.Launch(
                kernel, new LaunchShape(tiles, threads, parts, SharedBytes: kernel.SharedBytes), KernelArgument.Structure(&rows),
                KernelArgument.Structure(&windows), sums, n, m, n, adds, each);
        }

        if (parts > 1)
        {
            CudaGemm.AddSplits(cuda, sums, parts, dw.Data, n, m, n, accumulate);
        }
    }

    // Whether Hopper's warpgroups take a product of windows with as many output channels: copies of 8 channels must lie under one tap.
    private static bool Suits(CudaDevice cuda, in Correlation map)
    {
        var windows = MapView.Of(map);
        int batch = map.Batch, outputs = map.Outputs;
        long elements = (long)batch * windows.Height * windows.Width * windows.Channels;
        long taps = (long)windows.TapsHeight * windows.TapsWidth * windows.Channels;
        return cuda.Precision == Precision.Bf16
            && WarpgroupGemm.IsOn(cuda)
            && windows.Channels % Unit == 0
            && elements is > 0 and <= int.MaxValue
            && taps > 0
            && WarpgroupGemm.Pays(cuda, windows.Rows * taps * outputs, elements + (taps * outputs))
            && cuda.Has(WarpgroupCorrelateKernels[0]);
    }

    private static KernelId[] OnWarpgroups(string stem, string kind) =>
        [.. from columns in new[] { CudaTile, 2 * CudaTile } select new KernelId(CudaSource, $"{stem}_{columns}{kind}", WarpgroupGemm.SharedBytes(columns))];

    private static KernelId[] OfPrecisions(string stem) =>
    [
        .. Enum.GetValues<Precision>().Select(
            precision => new KernelId(CudaSource, $"{stem}_{precision.ToString().ToLowerInvariant()}", CudaGemm.SharedBytes(precision, CudaTile))),
    ];

    private static int DivideUp(int value, int by) => (value + by - 1) / by;

    /// <summary>A copy of maps, [N, H, W, C], rounded to bf16 when it is first asked for.</summary>
    private struct RoundedMaps
    {
        private MatrixView _copy;

        /// <summary>The same windows of the copy, of which a float* counts two bytes an element.</summary>
        public void Replace(CudaDevice cuda, ref MapView windows, int batch)
        {
            var rows = MatrixView.Of(windows.Data, batch * windows.Height * windows.Width, windows.Channels, windows.Stride);
            Replace(cuda, ref rows);
            windows.Data = rows.Data;
            windows.Stride = (int)rows.RowStride;
        }

        /// <summary>The same, as rows of the channels of every place.</summary>
        public void Replace(CudaDevice cuda, ref MatrixView rows)
        {
            if (_copy.Data == null)
            {
                _copy = rows;
                WarpgroupGemm.Round(cuda, ref _copy);
            }

            rows = _copy;
        }
    }

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

        /// <summary>The results of a correlation as windows of one tap: each is its own place.</summary>
        public static MapView OfPlaces(in Correlation map, in MatrixView results) => new()
        {
            Data = results.Data,
            Rows = results.Rows,
            RowsOfMap = map.Rows,
            WindowsOfRow = map.Columns,
            Height = map.Rows,
            Width = map.Columns,
            Channels = map.Outputs,
            Stride = (int)results.RowStride,
            TapsHeight = 1,
            TapsWidth = 1,
            StrideHeight = 1,
            StrideWidth = 1,
        };
    }

    /// <summary>Field by field the MapTarget of engine/kernels/encoder/conv2d.cu.</summary>
    private struct MapTarget
    {
        public float* Data;
        public long Map, Row, Column;
    }
}
