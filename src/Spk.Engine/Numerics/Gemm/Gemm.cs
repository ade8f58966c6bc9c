using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Numerics;

/// <summary>
/// Packed, register-blocked matrix product C = A·B (Goto and van de Geijn, "Anatomy of high-performance matrix
/// multiplication", 2008). Every element of C is summed over k in blocks that depend on K only, so the bits are the same for
/// every thread count.
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>Deepest block of k: a strip of B (384 × 32 f32 = 48 KiB) is used from the nearest caches by a whole block of rows.</summary>
    public const int MaximumDepth = 384;

    /// <summary>Floats of the operand packed for all workers (here B) kept at once: 8 MiB, inside a shared last-level cache.</summary>
    public const int MaximumPacked = 2 << 20;

    /// <summary>Floats of the operand that one task packs (here A): 576 KiB, inside a second-level cache of 1 MiB with room for what it meets there.</summary>
    public const int TaskFloats = 144 << 10;

    // Columns of C finished before the next are begun: that part of C stays in the second-level cache beside the packed A.
    private const int ColumnsPerPass = 256;
    private const int MaximumRowsPerTask = 144;
    private const int MinimumRowsPerTask = 48;
    private const int StripsPerPackTask = 4;

    /// <summary>C[m, n] = A·B, or += where <paramref name="accumulate"/>; the epilogue makes of every sum what is stored.</summary>
    public static void Multiply(
        CpuDevice device, in MatrixView a, in MatrixView b, float* c, int strideC, bool accumulate, in ProductEpilogue epilogue = default)
    {
        if (a.Width != b.Height)
        {
            throw new ShapeException($"A product of [{a.Height}, {a.Width}] and [{b.Height}, {b.Width}] is not defined: inner lengths differ.");
        }

        if (Vector512.IsHardwareAccelerated)
        {
            Run<GemmKernel512>(device, a, b, c, strideC, accumulate, epilogue);
        }
        else
        {
            Run<GemmKernel256>(device, a, b, c, strideC, accumulate, epilogue);
        }
    }

    /// <summary>The product with a chosen micro-kernel; tests compare them.</summary>
    internal static void Run<TKernel>(
        CpuDevice device, in MatrixView a, in MatrixView b, float* c, int strideC, bool accumulate, in ProductEpilogue epilogue)
        where TKernel : struct, IGemmKernel
    {
        int m = a.Height, n = b.Width, depth = a.Width;
        if (m == 0 || n == 0)
        {
            return;
        }

        if (depth == 0)
        {
            FillEmpty(c, strideC, m, n, accumulate, epilogue);
            return;
        }

        int blockDepth = BlockDepth(depth), blocks = (depth + blockDepth - 1) / blockDepth;
        int paddedN = (n + TKernel.Width - 1) / TKernel.Width * TKernel.Width;
        int stripsAtOnce = Math.Max(1, Math.Min(paddedN, MaximumPacked / blockDepth) / TKernel.Width);
        int columnsAtOnce = stripsAtOnce * TKernel.Width;
        int blocksAtOnce = Math.Clamp(MaximumPacked / (blockDepth * columnsAtOnce), 1, blocks);
        int depthAtOnce = blocksAtOnce * blockDepth;

        for (int column = 0; column < n; column += columnsAtOnce)
        {
            int columns = Math.Min(columnsAtOnce, n - column);
            for (int from = 0; from < depth; from += depthAtOnce)
            {
                int depthHere = Math.Min(depthAtOnce, depth - from);
                float* packed = device.SharedScratch((long)((columns + TKernel.Width - 1) / TKernel.Width) * TKernel.Width * depthHere);
                var pack = new PackBody<TKernel>
                {
                    B = b,
                    Packed = packed,
                    Column = column,
                    Columns = columns,
                    From = from,
                    Depth = depthHere,
                    BlockDepth = blockDepth,
                };
                int stripCount = (columns + TKernel.Width - 1) / TKernel.Width;
                pack.Tasks = (stripCount + StripsPerPackTask - 1) / StripsPerPackTask;
                int blocksHere = (depthHere + blockDepth - 1) / blockDepth;
                device.Workers.For(pack.Tasks * blocksHere, ref pack);

                var body = new MultiplyBody<TKernel>
                {
                    A = a,
                    Packed = packed,
                    C = c + column,
                    StrideC = strideC,
                    Epilogue = from + depthHere == depth ? epilogue.From(column) : default,
                    Rows = m,
                    Columns = columns,
                    From = from,
                    Depth = depthHere,
                    BlockDepth = blockDepth,
                    Accumulate = accumulate || from > 0,
                    Workers = device.WorkersHandle,
                };
                body.RowsPerTask = SplitRows<TKernel>(m, Math.Clamp(TaskFloats / depthHere, MinimumRowsPerTask, MaximumRowsPerTask), device.Threads);
                device.Workers.For((m + body.RowsPerTask - 1) / body.RowsPerTask, ref body);
            }
        }
    }

    /// <summary>The depth in as few blocks of one length as there can be, no deeper than <see cref="MaximumDepth"/>.</summary>
    internal static int BlockDepth(int depth)
    {
        int blocks = (depth + MaximumDepth - 1) / MaximumDepth;
        return (depth + blocks - 1) / blocks;
    }

    /// <summary>Rows of a task. Few rows: one task a thread. Many rows: tasks of at most so many. The split never changes the result.</summary>
    internal static int SplitRows<TKernel>(int m, int most, int threads)
        where TKernel : struct, IGemmKernel
    {
        int tasks = (m + most - 1) / most;
        tasks = (tasks + threads - 1) / threads * threads;
        int rows = (m + tasks - 1) / tasks;
        return (rows + TKernel.Height - 1) / TKernel.Height * TKernel.Height;
    }

    private static void FillEmpty(float* c, int strideC, int m, int n, bool accumulate, in ProductEpilogue epilogue)
    {
        for (int i = 0; i < m; i++)
        {
            float* row = c + ((nint)i * strideC);
            if (!accumulate)
            {
                new Span<float>(row, n).Clear();
            }

            epilogue.Apply(row, strideC, 1, n, 0);
        }
    }

    private struct PackBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public MatrixView B;
        public float* Packed;
        public int Column, Columns, From, Depth, BlockDepth, Tasks;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int block = index / Tasks, task = index % Tasks;
            int depth0 = block * BlockDepth;
            int depth = Math.Min(BlockDepth, Depth - depth0);
            int paddedColumns = (Columns + TKernel.Width - 1) / TKernel.Width * TKernel.Width;
            int column0 = task * StripsPerPackTask * TKernel.Width;
            int columns = Math.Min(StripsPerPackTask * TKernel.Width, Columns - column0);
            float* to = Packed + ((nint)depth0 * paddedColumns) + ((nint)column0 * depth);
            if (B.IsTransposed)
            {
                GemmPack.TransposedStrips(B, Column + column0, columns, From + depth0, depth, TKernel.Width, depth, to);
            }
            else
            {
                GemmPack.Strips(B, From + depth0, depth, Column + column0, columns, TKernel.Width, depth, to);
            }
        }
    }

    private struct MultiplyBody<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public MatrixView A;
        public float* Packed;
        public float* C;
        public nint StrideC;
        public ProductEpilogue Epilogue;
        public int Rows, Columns, From, Depth, BlockDepth, RowsPerTask;
        public bool Accumulate;
        public nint Workers;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int row0 = index * RowsPerTask;
            int rows = Math.Min(RowsPerTask, Rows - row0);
            int panels = (rows + TKernel.Height - 1) / TKernel.Height;
            int tile = TKernel.Height * TKernel.Width;
            int blocks = (Depth + BlockDepth - 1) / BlockDepth;
            int stride = A.IsTransposed ? BlockDepth : RowPanel.Stride;
            nint blockFloats = (nint)panels * TKernel.Height * stride;
            float* edge = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)(tile + (blocks * blockFloats)) * sizeof(float));
            float* packedA = edge + tile;
            for (int block = 0; block < blocks; block++)
            {
                int depth0 = block * BlockDepth;
                int depth = Math.Min(BlockDepth, Depth - depth0);
                float* to = packedA + (block * blockFloats);
                if (A.IsTransposed)
                {
                    GemmPack.Strips(A, From + depth0, depth, row0, rows, TKernel.Height, stride, to);
                }
                else
                {
                    GemmPack.Rows(A, row0, rows, From + depth0, depth, TKernel.Height, stride, to);
                }
            }

            for (int column = 0; column < Columns; column += ColumnsPerPass)
            {
                for (int block = 0; block < blocks; block++)
                {
                    if (A.IsTransposed)
                    {
                        Tiles<StripPanel<TKernel>>(edge, packedA + (block * blockFloats), TKernel.Height * stride, block, column, row0, rows);
                    }
                    else
                    {
                        Tiles<RowPanel>(edge, packedA + (block * blockFloats), TKernel.Height * stride, block, column, row0, rows);
                    }
                }
            }
        }

        private readonly void Tiles<TLayout>(float* edge, float* a, int panelSize, int block, int column0, int row0, int rows)
            where TLayout : struct, IPanelLayout
        {
            int depth0 = block * BlockDepth;
            int depth = Math.Min(BlockDepth, Depth - depth0);
            int paddedColumns = (Columns + TKernel.Width - 1) / TKernel.Width * TKernel.Width;
            float* b = Packed + ((nint)depth0 * paddedColumns);
            bool adds = Accumulate || block > 0;
            bool finishes = !Epilogue.IsEmpty && depth0 + depth == Depth;
            int columnEnd = Math.Min(Columns, column0 + ColumnsPerPass);
            for (int column = column0; column < columnEnd; column += TKernel.Width)
            {
                int width = Math.Min(TKernel.Width, Columns - column);
                float* strip = b + ((nint)column * depth);

                // Strips lie one after the other: the panels of this one share the fetching of the next.
                nint nextStep = (TKernel.Width * TKernel.Height / rows) + 1;
                float* next = strip + ((nint)TKernel.Width * depth);
                for (int row = 0; row < rows; row += TKernel.Height)
                {
                    int height = Math.Min(TKernel.Height, rows - row);
                    float* panel = a + ((nint)(row / TKernel.Height) * panelSize);
                    float* c = C + ((row0 + row) * StrideC) + column;
                    if (height == TKernel.Height && width == TKernel.Width)
                    {
                        TKernel.Run<TLayout>(panel, strip, depth, c, StrideC, adds, next, nextStep);
                    }
                    else
                    {
                        TKernel.Run<TLayout>(panel, strip, depth, edge, TKernel.Width, accumulate: false, next, nextStep);
                        CopyEdge(edge, c, height, width, adds);
                    }

                    next += depth * nextStep;

                    if (finishes)
                    {
                        Epilogue.Apply(c, StrideC, height, width, column);
                    }
                }
            }
        }

        private readonly void CopyEdge(float* tile, float* c, int height, int width, bool adds)
        {
            for (int i = 0; i < height; i++)
            {
                for (int j = 0; j < width; j++)
                {
                    float value = tile[(i * TKernel.Width) + j];
                    c[(i * StrideC) + j] = adds ? c[(i * StrideC) + j] + value : value;
                }
            }
        }
    }
}
