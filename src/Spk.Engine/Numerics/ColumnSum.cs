using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Numerics;

/// <summary>Sum of every column of a tall matrix: the gradient of a bias.</summary>
internal static unsafe class ColumnSum
{
    // Rows summed by one task; partial sums are then added in row order, so the bits do not depend on the threads.
    private const int RowsPerChunk = 512;

    /// <summary>result[c] (=|+=) Σ_r x[r, c]. What made x may have summed runs of rows.</summary>
    public static void Run(CpuDevice cpu, Tensor x, float* result, bool accumulate)
    {
        int rows = x.Shape.Rows, columns = x.Shape.Last;
        int chunks = x.RunSums?.Shape[0] ?? ((rows + RowsPerChunk - 1) / RowsPerChunk);
        float* partial;
        if (x.RunSums is { } sums)
        {
            partial = sums.Data;
        }
        else
        {
            partial = cpu.SharedScratch((long)Math.Max(1, chunks) * columns);
            var body = new Body { X = x.Data, Stride = x.RowStride, Rows = rows, Columns = columns, Partial = partial };
            cpu.Workers.For(chunks, ref body);
        }

        for (int c = 0; c < columns; c++)
        {
            double sum = accumulate ? result[c] : 0.0;
            for (int chunk = 0; chunk < chunks; chunk++)
            {
                sum += partial[((nint)chunk * columns) + c];
            }

            result[c] = (float)sum;
        }
    }

    private struct Body : IParallelBody
    {
        public float* X;
        public nint Stride;
        public int Rows, Columns;
        public float* Partial;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int from = index * RowsPerChunk, to = Math.Min(Rows, from + RowsPerChunk);
            float* sum = Partial + ((nint)index * Columns);
            int c = 0;
            for (; c <= Columns - 64; c += 64)
            {
                var (s0, s1, s2, s3) = (Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero);
                for (int r = from; r < to; r++)
                {
                    float* at = X + (r * Stride) + c;
                    s0 += Vector512.Load(at);
                    s1 += Vector512.Load(at + 16);
                    s2 += Vector512.Load(at + 32);
                    s3 += Vector512.Load(at + 48);
                }

                s0.Store(sum + c);
                s1.Store(sum + c + 16);
                s2.Store(sum + c + 32);
                s3.Store(sum + c + 48);
            }

            for (; c < Columns; c++)
            {
                float total = 0f;
                for (int r = from; r < to; r++)
                {
                    total += X[(r * Stride) + c];
                }

                sum[c] = total;
            }
        }
    }
}
