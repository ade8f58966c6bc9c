using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

public static unsafe partial class GradientNorm
{
    // Partial sums live on the stack: 4,096 chunks at a time are 64 million elements.
    private const int PartialsAtOnce = 4096;

    private static double CpuCompute(CpuDevice cpu, Tensor gradients)
    {
        double* partials = stackalloc double[Math.Min(PartialsAtOnce, Math.Max(1, FlatChunks.Count(gradients.Count)))];
        double total = 0;
        for (int start = 0; start < gradients.Count; start += PartialsAtOnce * FlatChunks.Length)
        {
            var body = new SquareBody
            {
                Values = gradients.Data + start,
                Count = Math.Min(gradients.Count - start, PartialsAtOnce * FlatChunks.Length),
                Partials = partials,
            };
            int chunks = FlatChunks.Count(body.Count);
            cpu.Workers.For(chunks, ref body);
            for (int i = 0; i < chunks; i++)
            {
                total += partials[i];
            }
        }

        return Math.Sqrt(total);
    }

    private static void CpuScale(CpuDevice cpu, Tensor gradients, float factor)
    {
        var body = new ScaleBody { Values = gradients.Data, Count = gradients.Count, Factor = factor };
        cpu.Workers.For(FlatChunks.Count(gradients.Count), ref body);
    }

    private struct SquareBody : IParallelBody
    {
        public float* Values;
        public int Count;
        public double* Partials;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int i = index * FlatChunks.Length;
            int end = Math.Min(Count, i + FlatChunks.Length);
            var (low, high) = (Vector512<double>.Zero, Vector512<double>.Zero);
            for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var value = Vector512.Load(Values + i);
                low = AddSquare(low, Vector512.WidenLower(value));
                high = AddSquare(high, Vector512.WidenUpper(value));
            }

            double sum = Vector512.Sum(low + high);
            for (; i < end; i++)
            {
                sum += (double)Values[i] * Values[i];
            }

            Partials[index] = sum;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<double> AddSquare(Vector512<double> sum, Vector512<double> value) =>
            Vector512.FusedMultiplyAdd(value, value, sum);
    }

    private struct ScaleBody : IParallelBody
    {
        public float* Values;
        public int Count;
        public float Factor;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int i = index * FlatChunks.Length;
            int end = Math.Min(Count, i + FlatChunks.Length);
            var factor = Vector512.Create(Factor);
            for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                (Vector512.Load(Values + i) * factor).Store(Values + i);
            }

            for (; i < end; i++)
            {
                Values[i] *= Factor;
            }
        }
    }
}
