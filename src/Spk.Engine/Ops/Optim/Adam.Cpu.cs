using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

public static unsafe partial class Adam
{
    private static void CpuStep(
        CpuDevice cpu, Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, Tensor? undecayed, Tensor? average, in Factors factors)
    {
        var body = new StepBody
        {
            Values = values.Data,
            Gradients = gradients.Data,
            Mean = mean.Data,
            MeanSquare = meanSquare.Data,
            Count = values.Count,
            Undecayed = undecayed is null ? null : undecayed.IntData,
            Runs = undecayed is null ? 0 : undecayed.Count / 2,
            Average = average is null ? null : average.Data,
            Factors = factors,
        };
        cpu.Workers.For(FlatChunks.Count(values.Count), ref body);
    }

    private struct StepBody : IParallelBody
    {
        public float* Values, Gradients, Mean, MeanSquare, Average;
        public int* Undecayed;
        public int Count, Runs;
        public Factors Factors;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int start = index * FlatChunks.Length;
            int end = Math.Min(Count, start + FlatChunks.Length);
            while (start < end)
            {
                int to = FlatChunks.RunEnd(Undecayed, Runs, start, end, 1, out float decays);
                Update(start, to, decays * Factors.Coupled, decays * Factors.Decoupled);
                start = to;
            }
        }

        // decay is added to the gradient as decay·p, shrink to the value as shrink·p.
        private readonly void Update(int i, int end, float decay, float shrink)
        {
            var (beta1, rest1) = (Vector512.Create(Factors.Beta1), Vector512.Create(Factors.Rest1));
            var (beta2, rest2) = (Vector512.Create(Factors.Beta2), Vector512.Create(Factors.Rest2));
            var (stepSize, rootFactor, epsilon) = (Vector512.Create(Factors.StepSize), Vector512.Create(Factors.RootFactor), Vector512.Create(Factors.Epsilon));
            var (decays, shrinks, factor) = (Vector512.Create(decay), Vector512.Create(shrink), Vector512.Create(Factors.GradientFactor));
            var (keep, take) = (Vector512.Create(Factors.Keep), Vector512.Create(Factors.Take));
            for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var p = Vector512.Load(Values + i);
                var g = Vector512.FusedMultiplyAdd(decays, p, factor * Vector512.Load(Gradients + i));
                var m = Vector512.FusedMultiplyAdd(beta1, Vector512.Load(Mean + i), rest1 * g);
                var v = Vector512.FusedMultiplyAdd(beta2, Vector512.Load(MeanSquare + i), rest2 * g * g);
                m.Store(Mean + i);
                v.Store(MeanSquare + i);
                p = Vector512.FusedMultiplyAdd(shrinks, p, p);
                var divisor = Vector512.FusedMultiplyAdd(Vector512.Sqrt(v), rootFactor, epsilon);
                p = Vector512.FusedMultiplyAdd(stepSize, m / divisor, p);
                p.Store(Values + i);
                if (Average is not null)
                {
                    Vector512.FusedMultiplyAdd(keep, Vector512.Load(Average + i), take * p).Store(Average + i);
                }
            }

            for (; i < end; i++)
            {
                float p = Values[i];
                float g = MathF.FusedMultiplyAdd(decay, p, Factors.GradientFactor * Gradients[i]);
                float m = MathF.FusedMultiplyAdd(Factors.Beta1, Mean[i], Factors.Rest1 * g);
                float v = MathF.FusedMultiplyAdd(Factors.Beta2, MeanSquare[i], Factors.Rest2 * g * g);
                Mean[i] = m;
                MeanSquare[i] = v;
                p = MathF.FusedMultiplyAdd(shrink, p, p);
                p = MathF.FusedMultiplyAdd(Factors.StepSize, m / MathF.FusedMultiplyAdd(MathF.Sqrt(v), Factors.RootFactor, Factors.Epsilon), p);
                Values[i] = p;
                if (Average is not null)
                {
                    Average[i] = MathF.FusedMultiplyAdd(Factors.Keep, Average[i], Factors.Take * p);
                }
            }
        }
    }
}
