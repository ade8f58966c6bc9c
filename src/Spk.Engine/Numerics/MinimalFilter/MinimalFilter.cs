using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>
/// Correlation of many channels with three taps by minimal filtering F(2, 3) (Winograd, "Arithmetic complexity of computations",
/// 1980; Lavin and Gray, arXiv:1509.09308): four products of channels give two frames, where six are needed otherwise.
/// </summary>
/// <remarks>
/// With x_i the frame that tap i reads for the first frame of a pair, and x_3 what the last tap reads for the second:
/// m0 = (x0 − x2) g0, m1 = (x1 + x2) (g0 + g1 + g2) / 2, m2 = (x2 − x1) (g0 − g1 + g2) / 2, m3 = (x1 − x3) g2;
/// y[t] = m0 + m1 + m2, y[t + dilation] = m1 − m2 − m3. Frames are added while they are packed for the micro-kernels of
/// <see cref="Gemm"/> and products are combined tile by tile, so that a correlation writes only transformed taps to memory that workers
/// share; its gradient by the taps writes sums of frames there (<see cref="MinimalFilterGradient"/>).
/// The order of every sum follows from the channels alone: the bits are the same for every thread count.
/// </remarks>
internal static unsafe class MinimalFilter
{
    /// <summary>Taps that it is for.</summary>
    public const int Taps = 3;

    /// <summary>Products of channels for a pair of frames.</summary>
    public const int Products = 4;

    private const int MinimumPairsPerTask = 24;
    private const int MaximumPairsPerTask = 144;

    // Fewer channels or frames are transformed for longer than their products take less.
    private const int FewestChannels = 64, FewestFrames = 32;

    /// <summary>
    /// Whether it is faster than the product of the windows with the taps, which takes 3 products of channels a frame: with three
    /// taps, 64 channels or more on both sides, 32 frames or more, and at most 0.6 pairs a frame, for an item shorter than twice the
    /// dilation has many pairs without a second frame. How many items there are does not count, if there are any: the bits of an item do not
    /// depend on others.
    /// </summary>
    /// <param name="windows">The frames of every tap.</param>
    /// <param name="outputs">Channels of the result.</param>
    public static bool Pays(in MatrixView windows, int outputs) =>
        windows.Rows > 0 && windows.Segments == Taps && Math.Min(windows.SegmentWidth, outputs) >= FewestChannels && windows.Inner >= FewestFrames
        && 5L * PairsOf(windows).Count <= 3L * windows.Rows;

    /// <summary>y (+)= correlation of the frames with the taps.</summary>
    /// <param name="device">Whose workers share the work.</param>
    /// <param name="windows">Three segments a row, a positive step apart.</param>
    /// <param name="taps">The first tap, [channels of the frames, channels of y]; may be transposed.</param>
    /// <param name="tapStep">Elements from tap to tap.</param>
    /// <param name="y">Where to write: a row for every row of the windows.</param>
    /// <param name="strideY">Elements from row to row of y.</param>
    /// <param name="accumulate">Whether to add to y.</param>
    /// <param name="epilogue">What becomes of the sums.</param>
    public static void Correlate(
        CpuDevice device, in MatrixView windows, in MatrixView taps, nint tapStep, float* y, int strideY, bool accumulate, in ProductEpilogue epilogue = default)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Run<GemmKernel512>(device, windows, taps, tapStep, y, strideY, accumulate, epilogue);
        }
        else
        {
            Run<GemmKernel256>(device, windows, taps, tapStep, y, strideY, accumulate, epilogue);
        }
    }

    /// <summary>The correlation with a chosen micro-kernel; tests compare them.</summary>
    internal static void Run<TKernel>(
        CpuDevice device, in MatrixView windows, in MatrixView taps, nint tapStep, float* y, int strideY, bool accumulate, in ProductEpilogue epilogue)
        where TKernel : struct, IGemmKernel
    {
        int depth = taps.Height, n = taps.Width, strips = (n + TKernel.Width - 1) / TKernel.Width;
        int stripsAtOnce = Math.Clamp(Gemm.MaximumPacked / (Products * depth * TKernel.Width), 1, strips);
        var pairs = PairsOf(windows);
        int pairsPerTask = Gemm.SplitRows<TKernel>(
            pairs.Count, Math.Clamp(Gemm.TaskFloats / (Products * depth), MinimumPairsPerTask, MaximumPairsPerTask), device.Threads);
        for (int strip = 0; strip < strips; strip += stripsAtOnce)
        {
            int column = strip * TKernel.Width, columns = Math.Min(stripsAtOnce * TKernel.Width, n - column);
            int stripsHere = (columns + TKernel.Width - 1) / TKernel.Width;
            float* packed = device.SharedScratch((long)stripsHere * TKernel.Width * Products * depth);
            var pack = new PackTapsBody<TKernel> { View = taps, TapStep = tapStep, Packed = packed, Column = column, Columns = columns };
            device.Workers.For(stripsHere, ref pack);
            var body = new CorrelateBody<TKernel>
            {
                Windows = windows,
                Pairs = pairs,
                Packed = packed,
                Y = y + column,
                StrideY = strideY,
                Epilogue = epilogue.From(column),
                Columns = columns,
                Depth = depth,
                BlockDepth = Gemm.BlockDepth(depth),
                PairsPerTask = pairsPerTask,
                Accumulate = accumulate,
                Workers = device.WorkersHandle,
            };
            device.Workers.For((pairs.Count + pairsPerTask - 1) / pairsPerTask, ref body);
        }
    }

    /// <summary>The rows of windows in pairs, whether they are read forwards in time or backwards.</summary>
    internal static FramePairs PairsOf(in MatrixView windows) => new(windows.Rows / windows.Inner, windows.Inner, Math.Abs(windows.Step));

    // Strip by strip all four transformed taps: [strip][product][depth][column].
    private struct PackTapsBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public MatrixView View;
        public nint TapStep;
        public float* Packed;
        public int Column, Columns;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int first = index * TKernel.Width;
            MinimalFilterPack.Taps(
                View, TapStep, Column + first, Math.Min(TKernel.Width, Columns - first), TKernel.Width, Packed + ((nint)first * Products * View.Height));
        }
    }

    private struct CorrelateBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public MatrixView Windows;
        public FramePairs Pairs;
        public float* Packed;
        public float* Y;
        public nint StrideY;
        public ProductEpilogue Epilogue;
        public int Columns, Depth, BlockDepth, PairsPerTask;
        public bool Accumulate;
        public nint Workers;

        private static int TileFloats => TKernel.Height * TKernel.Width;

        private static int PanelFloats => TKernel.Height * RowPanel.Stride;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int pair0 = index * PairsPerTask, pairs = Math.Min(PairsPerTask, Pairs.Count - pair0);
            int panels = (pairs + TKernel.Height - 1) / TKernel.Height, blocks = (Depth + BlockDepth - 1) / BlockDepth;

            // [product][panel] tiles of one strip, then [product][block][panel] sums of frames.
            int each = TileFloats + (blocks * PanelFloats);
            float* tiles = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)(Products * panels * each) * sizeof(float));
            float* frames = tiles + (Products * panels * TileFloats);
            MinimalFilterPack.Frames(Windows, Pairs, pair0, pairs, panels * TKernel.Height, BlockDepth, frames);

            // Row of every pair's first frame, complemented where there is no second.
            int* rows = stackalloc int[pairs];
            for (int i = 0; i < pairs; i++)
            {
                int row = Pairs.First(pair0 + i, out bool whole);
                rows[i] = whole ? row : ~row;
            }

            for (int column = 0; column < Columns; column += TKernel.Width)
            {
                Strip(tiles, frames, rows, pairs, column);
            }
        }

        // One strip of columns of all pairs of a task.
        private readonly void Strip(float* tiles, float* panel, int* rows, int pairs, int column)
        {
            int panels = (pairs + TKernel.Height - 1) / TKernel.Height, width = Math.Min(TKernel.Width, Columns - column);
            float* strip = Packed + ((nint)column * Products * Depth);

            // Strips lie one after the other: the panels of this part of one share the fetching of the next.
            nint nextStep = (TKernel.Width * TKernel.Height / pairs) + 1;
            for (int product = 0; product < Products; product++)
            {
                for (int from = 0; from < Depth; from += BlockDepth)
                {
                    int depth = Math.Min(BlockDepth, Depth - from);
                    float* next = strip + ((nint)depth * TKernel.Width), tile = tiles + (product * panels * TileFloats);
                    for (int pair = 0; pair < pairs; pair += TKernel.Height)
                    {
                        if (product == 0 && from == 0)
                        {
                            Fetch(rows + pair, Math.Min(TKernel.Height, pairs - pair), column);
                        }

                        TKernel.Run<RowPanel>(panel, strip, depth, tile, TKernel.Width, accumulate: from > 0, next, nextStep);
                        if (product == Products - 1 && from + depth == Depth)
                        {
                            Combine(tiles + (pair * TKernel.Width), panels * TileFloats, rows + pair, Math.Min(TKernel.Height, pairs - pair), column, width);
                        }

                        next += depth * nextStep;
                        panel += PanelFloats;
                        tile += TileFloats;
                    }

                    strip += (nint)depth * TKernel.Width;
                }
            }
        }

        // What Combine will write, so that it comes from memory during the products.
        private readonly void Fetch(int* rows, int count, int column)
        {
            if (!Sse.IsSupported)
            {
                return;
            }

            for (int i = 0; i < count; i++)
            {
                float* first = Y + ((nint)Math.Max(rows[i], ~rows[i]) * StrideY) + column;
                for (int j = 0; j < TKernel.Width; j += 16)
                {
                    Sse.Prefetch1(first + j);
                    Sse.Prefetch1(first + (Windows.Step * StrideY) + j);
                }
            }
        }

        // Both frames of a panel's pairs from their products, which lie so many elements apart.
        private readonly void Combine(float* m0, nint step, int* rows, int count, int column, int width)
        {
            for (int i = 0; i < count; i++, m0 += TKernel.Width)
            {
                bool whole = rows[i] >= 0;
                float* first = Y + ((nint)(whole ? rows[i] : ~rows[i]) * StrideY) + column;
                float* second = first + (Windows.Step * StrideY);
                float* m1 = m0 + step, m2 = m1 + step, m3 = m2 + step;
                int j = 0;
                for (; j <= width - 16; j += 16)
                {
                    var (a, b) = (Vector512.Load(m1 + j), Vector512.Load(m2 + j));
                    Store(Vector512.Load(m0 + j) + a + b, first + j, column + j);
                    if (whole)
                    {
                        Store(a - b - Vector512.Load(m3 + j), second + j, column + j);
                    }
                }

                for (; j < width; j++)
                {
                    Store(m0[j] + m1[j] + m2[j], first + j, column + j);
                    if (whole)
                    {
                        Store(m1[j] - m2[j] - m3[j], second + j, column + j);
                    }
                }
            }
        }

        private readonly void Store(Vector512<float> sum, float* to, int column) =>
            Epilogue.Apply(Accumulate ? Vector512.Load(to) + sum : sum, column).Store(to);

        private readonly void Store(float sum, float* to, int column) => *to = Epilogue.Apply(Accumulate ? *to + sum : sum, column);
    }
}
