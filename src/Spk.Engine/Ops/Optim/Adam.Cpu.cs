using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

public static unsafe partial class Adam
{
    private static void CpuStep(
        CpuDevice cpu, Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, long step, in AdamSettings settings, Tensor? undecayed, bool decoupled)
    {
        // The corrections near 1 at late steps, and the products, are formed in f64 and rounded once.
        double correction1 = 1 - Math.Pow(settings.Beta1, step);
        double correction2 = 1 - Math.Pow(settings.Beta2, step);
        var body = new StepBody
        {
            Values = values.Data,
            Gradients = gradients.Data,
            Mean = mean.Data,
            MeanSquare = meanSquare.Data,
            Count = values.Count,
            Undecayed = undecayed is null ? null : undecayed.IntData,
            Runs = undecayed is null ? 0 : undecayed.Count / 2,
            Beta1 = (float)settings.Beta1,
            Rest1 = (float)(1 - settings.Beta1),
            Beta2 = (float)settings.Beta2,
            Rest2 = (float)(1 - settings.Beta2),
            StepSize = (float)(-settings.LearningRate / correction1),
            RootFactor = (float)(1 / Math.Sqrt(correction2)),
            Epsilon = (float)settings.Epsilon,
            Coupled = decoupled ? 0 : (float)settings.WeightDecay,
            Decoupled = decoupled ? (float)(-settings.LearningRate * settings.WeightDecay) : 0,
        };
        cpu.Workers.For(FlatChunks.Count(values.Count), ref body);
    }

    private struct StepBody : IParallelBody
    {
        public float* Values, Gradients, Mean, MeanSquare;
        public int* Undecayed;
        public int Count, Runs;
        public float Beta1, Rest1, Beta2, Rest2, StepSize, RootFactor, Epsilon, Coupled, Decoupled;

        public readonly void Run(int index, int worker)
        {
            int start = index * FlatChunks.Length;
            int end = Math.Min(Count, start + FlatChunks.Length);
            while (start < end)
            {
                int to = FlatChunks.RunEnd(Undecayed, Runs, start, end, 1, out float decays);
                Update(start, to, decays * Coupled, decays * Decoupled);
                start = to;
            }
        }

        // decay is added to the gradient as decay·p, shrink to the value as shrink·p.
        private readonly void Update(int i, int end, float decay, float shrink)
        {
            var (beta1, rest1) = (Vector512.Create(Beta1), Vector512.Create(Rest1));
            var (beta2, rest2) = (Vector512.Create(Beta2), Vector512.Create(Rest2));
            var (stepSize, rootFactor, epsilon) = (Vector512.Create(StepSize), Vector512.Create(RootFactor), Vector512.Create(Epsilon));
            var (decays, shrinks) = (Vector512.Create(decay), Vector512.Create(shrink));
            for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var p = Vector512.Load(Values + i);
                var g = Vector512.FusedMultiplyAdd(decays, p, Vector512.Load(Gradients + i));
                var m = Vector512.FusedMultiplyAdd(beta1, Vector512.Load(Mean + i), rest1 * g);
                var v = Vector512.FusedMultiplyAdd(beta2, Vector512.Load(MeanSquare + i), rest2 * g * g);
                m.Store(Mean + i);
                v.Store(MeanSquare + i);
                p = Vector512.FusedMultiplyAdd(shrinks, p, p);
                var divisor = Vector512.FusedMultiplyAdd(Vector512.Sqrt(v), rootFactor, epsilon);
                Vector512.FusedMultiplyAdd(stepSize, m / divisor, p).Store(Values + i);
            }

            for (; i < end; i++)
            {
                float p = Values[i];
                float g = MathF.FusedMultiplyAdd(decay, p, Gradients[i]);
                float m = MathF.FusedMultiplyAdd(Beta1, Mean[i], Rest1 * g);
                float v = MathF.FusedMultiplyAdd(Beta2, MeanSquare[i], Rest2 * g * g);
                Mean[i] = m;
                MeanSquare[i] = v;
                p = MathF.FusedMultiplyAdd(shrink, p, p);
                Values[i] = MathF.FusedMultiplyAdd(StepSize, m / MathF.FusedMultiplyAdd(MathF.Sqrt(v), RootFactor, Epsilon), p);
            }
        }
    }
}
