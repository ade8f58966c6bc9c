using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>The gradient of <see cref="MinimalFilter"/> by the taps: the transposed algorithm, again four products for a pair of frames.</summary>
/// <remarks>
/// With x0 to x3 as there and e, f the gradients by both outputs of a pair, sums over pairs give
/// G0 = Σ e (x0 − x2), G1 = Σ (e + f) (x1 + x2), G2 = Σ (e − f) (x2 − x1), G3 = Σ f (x1 − x3), and
/// dg0 = G0 + (G1 + G2) / 2, dg1 = (G1 − G2) / 2, dg2 = (G1 + G2) / 2 − G3. Pairs are taken in chunks: their sums of frames, in memory that
/// workers share, meet the gradients that every task packs for itself. Chunks are whole blocks of a length that follows from the number of
/// pairs, added in order: neither threads nor the length of a chunk change the bits.
/// </remarks>
internal static unsafe class MinimalFilterGradient
{
    // Channels of a packing task, and of one of products.
    private const int ChannelsPerPackTask = 128;
    private const int MaximumRowsPerTask = 144;

    // Fetched ahead of the sums: of every frame only some channels are read, too few for the hardware to fetch ahead.
    private const int PairsAhead = 8;

    /// <summary>dg (+)= the gradient, [channels of dy, tap, channels of the frames], without gaps.</summary>
    /// <param name="device">Whose workers share the work.</param>
    /// <param name="windows">What the taps were multiplied with: three segments a row, a positive step apart.</param>
    /// <param name="dy">A row for every row of the windows.</param>
    /// <param name="strideDy">Elements from row to row of dy.</param>
    /// <param name="outputs">Channels of dy.</param>
    /// <param name="dg">Where to write.</param>
    /// <param name="accumulate">Whether to add.</param>
    public static void ByTaps(CpuDevice device, in MatrixView windows, float* dy, int strideDy, int outputs, float* dg, bool accumulate)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Run<GemmKernel512>(device, windows, dy, strideDy, outputs, dg, accumulate);
        }
        else
        {
            Run<GemmKernel256>(device, windows, dy, strideDy, outputs, dg, accumulate);
        }
    }

    /// <summary>The gradient with a chosen micro-kernel; tests compare them.</summary>
    internal static void Run<TKernel>(CpuDevice device, in MatrixView windows, float* dy, int strideDy, int outputs, float* dg, bool accumulate)
        where TKernel : struct, IGemmKernel
    {
        var pairs = MinimalFilter.PairsOf(windows);
        int inputs = windows.SegmentWidth, blockDepth = Gemm.BlockDepth(pairs.Count);
        int strips = (inputs + TKernel.Width - 1) / TKernel.Width, panels = (outputs + TKernel.Height - 1) / TKernel.Height;
        int stripsAtOnce = Math.Clamp(Gemm.MaximumPacked / (MinimalFilter.Products * blockDepth * TKernel.Width), 1, strips);
        int rowsPerTask = Gemm.SplitRows<TKernel>(outputs, MaximumRowsPerTask, 1);

        // Whole blocks, as many as keep a chunk's sums of frames in the last-level cache and a task's gradients in the second-level one.
        int pairsAtMost = Math.Min(Gemm.MaximumPacked / (MinimalFilter.Products * stripsAtOnce * TKernel.Width), Gemm.TaskFloats / rowsPerTask);
        int pairsAtOnce = Math.Max(1, pairsAtMost / blockDepth) * blockDepth;
        long sums = (long)MinimalFilter.Products * panels * TKernel.Height * stripsAtOnce * TKernel.Width;
        float* shared = device.SharedScratch(sums + ((long)MinimalFilter.Products * stripsAtOnce * TKernel.Width * Math.Min(pairsAtOnce, pairs.Count)));
        for (int strip = 0; strip < strips; strip += stripsAtOnce)
        {
            int column = strip * TKernel.Width, columns = Math.Min(stripsAtOnce * TKernel.Width, inputs - column);
            var body = new ProductBody<TKernel>
            {
                Windows = windows,
                Pairs = pairs,
                Dy = dy,
                StrideDy = strideDy,
                Outputs = outputs,
                Column = column,
                Columns = columns,
                Strips = (columns + TKernel.Width - 1) / TKernel.Width,
                Panels = panels,
                BlockDepth = blockDepth,
                Sums = shared,
                Packed = shared + sums,
                RowsPerTask = rowsPerTask,
                Workers = device.WorkersHandle,
            };
            for (body.From = 0; body.From < pairs.Count; body.From += pairsAtOnce)
            {
                body.Count = Math.Min(pairsAtOnce, pairs.Count - body.From);
                var pack = new PackBody<TKernel> { Whole = body };
                device.Workers.For(pack.Tasks, ref pack);
                device.Workers.For(body.Tasks, ref body);
            }

            var finish = new TapsBody<TKernel>
            {
                Sums = shared,
                Strips = body.Strips,
                Panels = panels,
                Inputs = inputs,
                Columns = columns,
                Dg = dg + column,
                Accumulate = accumulate,
            };
            device.Workers.For(outputs, ref finish);
        }
    }

    // Four sums of frames as strips of channels: [product][strip][pair][channel].
    private struct PackBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public ProductBody<TKernel> Whole;

        public readonly int Tasks => Blocks * Groups;

        private readonly int Blocks => (Whole.Count + Whole.BlockDepth - 1) / Whole.BlockDepth;

        private readonly int Groups => (Whole.Columns + ChannelsPerPackTask - 1) / ChannelsPerPackTask;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            float* zeros = stackalloc float[ChannelsPerPackTask];
            nint step = (nint)(Whole.Strip(1, 0) - Whole.Strip(0, 0));
            NativeMemory.Clear(zeros, ChannelsPerPackTask * sizeof(float));
            int pair0 = index / Groups * Whole.BlockDepth, end = Math.Min(pair0 + Whole.BlockDepth, Whole.Count);
            int channel = index % Groups * ChannelsPerPackTask, channels = Math.Min(ChannelsPerPackTask, Whole.Columns - channel);
            for (int pair = pair0; pair < end; pair++)
            {
                if (pair + PairsAhead < end)
                {
                    PairFrames.Fetch(Whole.Windows, Whole.Pairs, Whole.From + pair + PairsAhead, Whole.Column + channel, channels);
                }

                var read = new PairFrames(Whole.Windows, Whole.Pairs, Whole.From + pair, zeros);
                for (int c = 0; c < channels; c += TKernel.Width)
                {
                    int width = Math.Min(TKernel.Width, channels - c);
                    float* to = Whole.Strip(0, (channel + c) / TKernel.Width) + ((nint)pair * TKernel.Width);
                    read.Sums(Whole.Column + channel + c, width, to, step);
                    for (int product = 0; product < MinimalFilter.Products && width < TKernel.Width; product++)
                    {
                        GemmPack.CopyOrClear(null, to + (product * step) + width, TKernel.Width - width);
                    }
                }
            }
        }
    }

    // Adds one product of some channels of dy over a chunk of pairs to its tiles: [product][panel][strip].
    private struct ProductBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public MatrixView Windows;
        public FramePairs Pairs;
        public float* Dy;
        public nint StrideDy;
        public float* Sums;
        public float* Packed;
        public int Outputs, Column, Columns, Strips, Panels, From, Count, BlockDepth, RowsPerTask;
        public nint Workers;

        public readonly int Tasks => MinimalFilter.Products * RowTasks;

        private readonly int RowTasks => (Outputs + RowsPerTask - 1) / RowsPerTask;

        public readonly float* Strip(int product, int strip) => Packed + ((nint)((product * Strips) + strip) * Count * TKernel.Width);

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int product = index / RowTasks, row0 = index % RowTasks * RowsPerTask, rows = Math.Min(RowsPerTask, Outputs - row0);
            int panels = (rows + TKernel.Height - 1) / TKernel.Height, panel0 = row0 / TKernel.Height;
            float* gradients = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)(panels * TKernel.Height * Count) * sizeof(float));
            Pack(product, row0, rows, gradients);
            nint nextStep = (TKernel.Width * TKernel.Height / rows) + 1;
            for (int s = 0; s < Strips; s++)
            {
                float* strip = Strip(product, s);
                for (int from = 0; from < Count; from += BlockDepth)
                {
                    int depth = Math.Min(BlockDepth, Count - from);
                    float* next = strip + ((nint)depth * TKernel.Width);
                    for (int p = 0; p < panels; p++)
                    {
                        float* tile = Sums + ((nint)((((product * Panels) + panel0 + p) * Strips) + s) * TKernel.Height * TKernel.Width);
                        float* panel = gradients + (((p * (nint)Count) + from) * TKernel.Height);
                        TKernel.Run<StripPanel<TKernel>>(panel, strip, depth, tile, TKernel.Width, accumulate: From + from > 0, next, nextStep);
                        next += depth * nextStep;
                    }

                    strip += (nint)depth * TKernel.Width;
                }
            }
        }

        // e, e + f, e − f or f as panels: [panel][pair][channel].
        private readonly void Pack(int product, int row0, int rows, float* panels)
        {
            float* zeros = stackalloc float[MaximumRowsPerTask], sum = stackalloc float[MaximumRowsPerTask];
            NativeMemory.Clear(zeros, MaximumRowsPerTask * sizeof(float));
            for (int pair = 0; pair < Count; pair++)
            {
                if (pair + PairsAhead < Count)
                {
                    int ahead = Pairs.First(From + pair + PairsAhead, out bool both);
                    GemmPack.Fetch(Dy + (ahead * StrideDy), row0, rows);
                    GemmPack.Fetch(both ? Dy + ((ahead + Windows.Step) * StrideDy) : null, row0, rows);
                }

                float* e = Dy + (Pairs.First(From + pair, out bool whole) * StrideDy) + row0;
                float* f = whole ? e + (Windows.Step * StrideDy) : zeros;
                float* source = product == 0 ? e : product == 3 ? f : sum;
                if (source == sum)
                {
                    Add(e, f, product == 1 ? 1f : -1f, rows, sum);
                }

                float* to = panels + ((nint)pair * TKernel.Height);
                int c = 0;
                for (; c <= rows - TKernel.Height; c += TKernel.Height, to += (nint)Count * TKernel.Height)
                {
                    GemmPack.CopyOrClear(source + c, to, TKernel.Height);
                }

                if (c < rows)
                {
                    GemmPack.CopyOrClear(source + c, to, rows - c);
                    GemmPack.CopyOrClear(null, to + rows - c, TKernel.Height - rows + c);
                }
            }
        }

        private static void Add(float* e, float* f, float sign, int count, float* sum)
        {
            var signs = Vector512.Create(sign);
            int i = 0;
            for (; i <= count - 16; i += 16)
            {
                Vector512.FusedMultiplyAdd(signs, Vector512.Load(f + i), Vector512.Load(e + i)).Store(sum + i);
            }

            for (; i < count; i++)
            {
                sum[i] = e[i] + (sign * f[i]);
            }
        }
    }

    // The three taps of one channel of dy.
    private struct TapsBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public float* Sums;
        public float* Dg;
        public int Strips, Panels, Inputs, Columns;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int tile = TKernel.Height * TKernel.Width, panel = index / TKernel.Height;
            nint step = (nint)Panels * Strips * tile;
            float* sums = Sums + ((nint)panel * Strips * tile) + ((index - (panel * TKernel.Height)) * TKernel.Width);
            float* to = Dg + ((nint)index * MinimalFilter.Taps * Inputs);
            for (int column = 0; column < Columns; column += TKernel.Width, sums += tile)
            {
                int width = Math.Min(TKernel.Width, Columns - column), j = 0;
                for (; j <= width - 16; j += 16)
                {
                    float* g = sums + j, dg = to + column + j;
                    var (plus, minus) = (Vector512.Load(g + step), Vector512.Load(g + (2 * step)));
                    var half = (plus + minus) * 0.5f;
                    Store(Vector512.Load(g) + half, dg);
                    Store((plus - minus) * 0.5f, dg + Inputs);
                    Store(half - Vector512.Load(g + (3 * step)), dg + (2 * (nint)Inputs));
                }

                for (; j < width; j++)
                {
                    float* g = sums + j, dg = to + column + j;
                    float half = (g[step] + g[2 * step]) * 0.5f;
                    Store(g[0] + half, dg);
                    Store((g[step] - g[2 * step]) * 0.5f, dg + Inputs);
                    Store(half - g[3 * step], dg + (2 * (nint)Inputs));
                }
            }
        }

        private readonly void Store(Vector512<float> sum, float* to) => (Accumulate ? Vector512.Load(to) + sum : sum).Store(to);

        private readonly void Store(float sum, float* to) => *to = Accumulate ? *to + sum : sum;
    }
}
