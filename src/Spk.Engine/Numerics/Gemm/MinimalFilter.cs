using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>
/// Correlation of many channels with three taps by minimal filtering F(2, 3) (Winograd, "Arithmetic complexity of computations",
/// 1980; Lavin and Gray, arXiv:1509.09308): four products of channels give two frames, not six.
/// </summary>
/// <remarks>
/// With x_i the frame that tap i reads for the first frame of a pair, and i = 3 for the last tap of the second:
/// m0 = (x0 − x2) g0, m1 = (x1 + x2) (g0 + g1 + g2) / 2, m2 = (x2 − x1) (g0 − g1 + g2) / 2, m3 = (x1 − x3) g2;
/// y[t] = m0 + m1 + m2, y[t + dilation] = m1 − m2 − m3. Sums of frames are formed while they are packed for the micro-kernels of
/// <see cref="Gemm"/>, and products are combined tile by tile, so nothing transformed is ever written to memory but the taps.
/// Every element is summed in an order that follows from the channels alone: the bits are the same for every thread count.
/// </remarks>
internal static unsafe class MinimalFilter
{
    /// <summary>Products of channels for a pair of frames.</summary>
    public const int Products = 4;

    // Floats of packed taps kept at once: 8 MiB, inside a shared last-level cache.
    private const int MaximumPacked = 2 << 20;

    // Packed frames of one task, in floats (576 KiB): inside a second-level cache of 1 MiB beside the strips of taps.
    private const int TaskFloats = 144 << 10;
    private const int MaximumPairsPerTask = 144;
    private const int MinimumPairsPerTask = 24;

    /// <summary>y (+)= correlation of the frames with the taps, + bias.</summary>
    /// <param name="device">Whose workers share the work.</param>
    /// <param name="windows">Three segments a row, a positive dilation apart.</param>
    /// <param name="taps">The first tap, [channels of the frames, channels of y]; may be a transposed view.</param>
    /// <param name="tapStep">Elements from tap to tap.</param>
    /// <param name="y">Where to write: a row for every row of the windows.</param>
    /// <param name="strideY">Elements from row to row of y.</param>
    /// <param name="accumulate">Whether to add to y.</param>
    /// <param name="bias">Added to every row, or null.</param>
    public static void Correlate(
        CpuDevice device, in MatrixView windows, in MatrixView taps, nint tapStep, float* y, int strideY, bool accumulate, float* bias = null)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Run<GemmKernel512>(device, windows, taps, tapStep, y, strideY, accumulate, bias);
        }
        else
        {
            Run<GemmKernel256>(device, windows, taps, tapStep, y, strideY, accumulate, bias);
        }
    }

    /// <summary>The correlation with a chosen micro-kernel; tests compare them.</summary>
    internal static void Run<TKernel>(
        CpuDevice device, in MatrixView windows, in MatrixView taps, nint tapStep, float* y, int strideY, bool accumulate, float* bias)
        where TKernel : struct, IGemmKernel
    {
        int depth = taps.Height, n = taps.Width;
        var pairs = new FramePairs(windows.Rows / windows.Inner, windows.Inner, windows.Step);
        int strips = (n + TKernel.Width - 1) / TKernel.Width;
        int stripsAtOnce = Math.Clamp(MaximumPacked / (Products * depth * TKernel.Width), 1, strips);
        int most = Math.Clamp(TaskFloats / (Products * depth), MinimumPairsPerTask, MaximumPairsPerTask);
        int pairsPerTask = Gemm.SplitRows<TKernel>(pairs.Count, most, device.Threads);
        for (int strip = 0; strip < strips; strip += stripsAtOnce)
        {
            int column = strip * TKernel.Width, columns = Math.Min(stripsAtOnce * TKernel.Width, n - column);
            int stripsHere = (columns + TKernel.Width - 1) / TKernel.Width;
            float* packed = device.SharedScratch((long)stripsHere * TKernel.Width * Products * depth);
            var pack = new PackTapsBody<TKernel> { Taps = taps, TapStep = tapStep, Packed = packed, Column = column, Columns = columns };
            device.Workers.For(stripsHere, ref pack);
            var body = new CorrelateBody<TKernel>
            {
                Windows = windows,
                Pairs = pairs,
                Packed = packed,
                Depth = depth,
                BlockDepth = Gemm.BlockDepth(depth),
                Y = y + column,
                StrideY = strideY,
                Columns = columns,
                Bias = bias == null ? null : bias + column,
                Accumulate = accumulate,
                PairsPerTask = pairsPerTask,
                Workers = device.WorkersHandle,
            };
            device.Workers.For((pairs.Count + pairsPerTask - 1) / pairsPerTask, ref body);
        }
    }

    // One strip of columns, all four transformed taps: [product][depth][column].
    private struct PackTapsBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public MatrixView Taps;
        public nint TapStep;
        public float* Packed;
        public int Column, Columns;

        public readonly void Run(int index, int worker)
        {
            int first = index * TKernel.Width;
            MinimalFilterPack.Taps(
                Taps, TapStep, Column + first, Math.Min(TKernel.Width, Columns - first), TKernel.Width, Packed + ((nint)first * Products * Taps.Height));
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
        public float* Bias;
        public int Depth, BlockDepth, Columns, PairsPerTask;
        public bool Accumulate;
        public nint Workers;

        public readonly void Run(int index, int worker)
        {
            int pair0 = index * PairsPerTask, pairs = Math.Min(PairsPerTask, Pairs.Count - pair0);
            int panels = (pairs + TKernel.Height - 1) / TKernel.Height;
            int tile = TKernel.Height * TKernel.Width, panelFloats = TKernel.Height * RowPanel.Stride;
            int blocks = (Depth + BlockDepth - 1) / BlockDepth;

            // [product][panel] tiles of one strip, then [product][block][panel] frames.
            float* tiles = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)(Products * panels * (tile + (blocks * panelFloats))) * sizeof(float));
            float* frames = tiles + (Products * panels * tile);
            MinimalFilterPack.Frames(Windows, Pairs, pair0, pairs, panels * TKernel.Height, BlockDepth, frames);

            // Strips lie one after the other: the panels of this part of one share the fetching of the next.
            nint nextStep = (TKernel.Width * TKernel.Height / pairs) + 1;
            float* strip = Packed;
            for (int column = 0; column < Columns; column += TKernel.Width)
            {
                float* panel = frames;
                for (int product = 0; product < Products; product++)
                {
                    for (int block = 0; block < blocks; block++)
                    {
                        int depth = Math.Min(BlockDepth, Depth - (block * BlockDepth));
                        float* next = strip + ((nint)depth * TKernel.Width);
                        float* to = tiles + (product * panels * tile);
                        for (int p = 0; p < panels; p++)
                        {
                            TKernel.Run<RowPanel>(panel, strip, depth, to, TKernel.Width, block > 0, next, nextStep);
                            next += depth * nextStep;
                            panel += panelFloats;
                            to += tile;
                        }

                        strip += (nint)depth * TKernel.Width;
                    }
                }

                int width = Math.Min(TKernel.Width, Columns - column);
                for (int pair = 0; pair < pairs; pair++)
                {
                    Combine(tiles + (pair * TKernel.Width), panels * tile, pair0 + pair, column, width);
                }
            }
        }

        private readonly void Combine(float* m0, int step, int pair, int column, int width)
        {
            float* first = Y + (Pairs.First(pair, out bool whole) * StrideY) + column;
            float* second = first + (Windows.Step * StrideY);
            float* bias = Bias == null ? null : Bias + column;
            float* m1 = m0 + step, m2 = m1 + step, m3 = m2 + step;
            int j = 0;
            for (; j <= width - 16; j += 16)
            {
                var (a, b) = (Vector512.Load(m1 + j), Vector512.Load(m2 + j));
                var base0 = bias == null ? Vector512<float>.Zero : Vector512.Load(bias + j);
                Store(first + j, Vector512.Load(m0 + j) + a + b + base0);
                if (whole)
                {
                    Store(second + j, a - b - Vector512.Load(m3 + j) + base0);
                }
            }

            for (; j < width; j++)
            {
                float base0 = bias == null ? 0f : bias[j];
                Store(first + j, m0[j] + m1[j] + m2[j] + base0);
                if (whole)
                {
                    Store(second + j, m1[j] - m2[j] - m3[j] + base0);
                }
            }
        }

        private readonly void Store(float* to, Vector512<float> value) => (Accumulate ? Vector512.Load(to) + value : value).Store(to);

        private readonly void Store(float* to, float value) => *to = Accumulate ? *to + value : value;
    }
}
