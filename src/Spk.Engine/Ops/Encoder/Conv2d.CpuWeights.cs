using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Conv2d
{
    // dW[o, p, q, c] = Σ over results of dy[o] · x under tap (p, q): for each row of taps the transpose of (windows)ᵀ dy. Chunks of
    // patches are summed apart, and the chunks then added in their order.
    private static void WeightGradient(CpuDevice cpu, in Geometry g, Tensor x, Tensor dy, Tensor dw, bool accumulate)
    {
        var map = Correlation.Forward(g, x, dy);
        int height = StridedProduct.Height, run = map.Run, rowsOfRun = (run + height - 1) / height * height;
        int outputs = StridedProduct.Padded(g.Outputs);
        var patches = Patches.Of(map);
        int chunks = Math.Min(patches.Count, Patches.WantedTasks);
        if (chunks == 0 || dw.Count == 0)
        {
            return;
        }

        int chunkElements = g.TapsHeight * rowsOfRun * outputs;
        float* sums = cpu.SharedScratch((long)chunks * chunkElements);
        var body = new WeightBody
        {
            Map = map,
            Patches = patches,
            Dy = dy.Data,
            StrideDy = dy.RowStride,
            Sums = sums,
            Chunks = chunks,
            ChunkElements = chunkElements,
            RowsOfRun = rowsOfRun,
            Workers = cpu.WorkersHandle,
        };
        cpu.Workers.For(chunks, ref body);
        var add = new AddChunksBody
        {
            Sums = sums,
            Chunks = chunks,
            ChunkElements = chunkElements,
            Rows = g.TapsHeight * rowsOfRun,
            RowsOfRun = rowsOfRun,
            RunLength = run,
            Outputs = g.Outputs,
            Gradient = dw.Data,
            StrideGradient = (nint)g.TapsHeight * run,
            Accumulate = accumulate,
        };
        cpu.Workers.For(g.TapsHeight * add.BlocksOfRun, ref add);
    }

    /// <summary>Sums one chunk: [strip][tap row][tap column, channel][output], both inner axes filled up to whole tiles.</summary>
    private struct WeightBody : IParallelBody
    {
        public Correlation Map;
        public Patches Patches;
        public float* Dy;
        public nint StrideDy;
        public float* Sums;
        public int Chunks, ChunkElements, RowsOfRun;
        public nint Workers;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int first = (int)((long)Patches.Count * index / Chunks), end = (int)((long)Patches.Count * (index + 1) / Chunks);
            float* sums = Sums + ((nint)index * ChunkElements);
            NativeMemory.Clear(sums, (nuint)ChunkElements * sizeof(float));
            int filled = Map.Columns * StridedProduct.Width(Map.Outputs);
            float* outside = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)(filled + Patches.Elements) * sizeof(float));
            float* source = outside + filled;
            for (int at = first; at < end; at++)
            {
                var patch = Patches.At(at);
                Patches.Copy(Map, patch, source);
                Add(patch, source, sums, outside);
            }
        }

        private readonly void Add(in Patch patch, float* source, float* sums, float* filled)
        {
            for (int output = 0, width; output < Map.Outputs; output += width)
            {
                width = StridedProduct.Width(Map.Outputs - output);
                for (int row = 0; row < patch.Rows; row++)
                {
                    nint position = (((((nint)patch.Item * Map.Rows) + patch.Row + row) * Map.Columns) + patch.Column) * StrideDy;
                    var tile = new StridedTile
                    {
                        B = Dy + position + output,
                        RowStep = 1,
                        DepthStep = (nint)Map.StrideWidth * Map.Channels,
                        StepB = StrideDy,
                        Segments = 1,
                        Depth = patch.Columns,
                    };
                    if (Map.Outputs - output < width)
                    {
                        FillUp(tile.B, patch.Columns, Map.Outputs - output, width, filled);
                        tile.B = filled;
                        tile.StepB = width;
                    }

                    for (int tap = 0; tap < Map.TapsHeight; tap++)
                    {
                        float* to = sums + ((nint)output * Map.TapsHeight * RowsOfRun) + ((nint)tap * RowsOfRun * width);
                        tile.A = source + (((row * Map.StrideHeight) + tap) * Patches.Pitch);
                        for (int element = 0; element < RowsOfRun; element += StridedProduct.Height)
                        {
                            StridedProduct.Run(width, tile, to, width, accumulate: true);
                            tile.A += StridedProduct.Height;
                            to += StridedProduct.Height * width;
                        }
                    }
                }
            }
        }

        // A last strip that is wider than the channels left would read what lies behind them.
        private readonly void FillUp(float* from, int rows, int inside, int width, float* to)
        {
            for (int row = 0; row < rows; row++, from += StrideDy, to += width)
            {
                NativeMemory.Copy(from, to, (nuint)inside * sizeof(float));
                NativeMemory.Clear(to + inside, (nuint)(width - inside) * sizeof(float));
            }
        }
    }

    /// <summary>Adds the chunks in order and transposes their sums to the weight's order, a square of it at a time.</summary>
    private struct AddChunksBody : IParallelBody
    {
        private const int Side = 16;

        public float* Sums;
        public float* Gradient;
        public nint StrideGradient;
        public int Chunks, ChunkElements, Rows, RowsOfRun, RunLength, Outputs;
        public bool Accumulate;

        public readonly int BlocksOfRun => (RunLength + Side - 1) / Side;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int tap = index / BlocksOfRun, from = index % BlocksOfRun * Side, count = Math.Min(Side, RunLength - from);
            float* square = stackalloc float[Side * Side];
            for (int strip = 0, width; strip < Outputs; strip += width)
            {
                width = StridedProduct.Width(Outputs - strip);
                float* sums = Sums + ((nint)strip * Rows) + ((((nint)tap * RowsOfRun) + from) * width);
                for (int output = 0; output < Math.Min(width, Outputs - strip); output += Side)
                {
                    for (int element = 0; element < count; element++)
                    {
                        float* at = sums + ((nint)element * width) + output;
                        var sum = Vector512.Load(at);
                        for (int chunk = 1; chunk < Chunks; chunk++)
                        {
                            sum += Vector512.Load(at + ((nint)chunk * ChunkElements));
                        }

                        sum.Store(square + (element * Side));
                    }

                    Transpose(square, count, Math.Min(Side, Outputs - strip - output), Gradient + ((strip + output) * StrideGradient) + (tap * RunLength) + from);
                }
            }
        }

        private readonly void Transpose(float* square, int elements, int outputs, float* to)
        {
            for (int output = 0; output < outputs; output++, to += StrideGradient)
            {
                for (int element = 0; element < elements; element++)
                {
                    float sum = square[(element * Side) + output];
                    to[element] = Accumulate ? to[element] + sum : sum;
                }
            }
        }
    }
}
