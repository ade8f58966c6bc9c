using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

public static unsafe partial class Sgd
{
    private static void CpuStep(CpuDevice cpu, Tensor values, Tensor gradients, Tensor? buffer, in SgdSettings settings, Tensor? undecayed, in MovingAverage? average)
    {
        var body = new StepBody
        {
            Values = values.Data,
            Gradients = gradients.Data,
            Buffer = buffer is null ? null : buffer.Data,
            Count = values.Count,
            Undecayed = undecayed is null ? null : undecayed.IntData,
            Runs = undecayed is null ? 0 : undecayed.Count / 2,
            StepSize = (float)-settings.LearningRate,
            Momentum = (float)settings.Momentum,
            Decay = (float)settings.WeightDecay,
            Factor = (float)settings.GradientFactor,
            Average = average is { } following ? following.Values.Data : null,
            Keep = average?.Keep ?? 0,
            Take = average?.Take ?? 0,
            Nesterov = settings.Nesterov,
        };
        cpu.Workers.For(FlatChunks.Count(values.Count), ref body);
    }

    private struct StepBody : IParallelBody
    {
        public float* Values, Gradients, Buffer, Average;
        public int* Undecayed;
        public int Count, Runs;
        public float StepSize, Momentum, Decay, Factor, Keep, Take;
        public bool Nesterov;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int start = index * FlatChunks.Length;
            int end = Math.Min(Count, start + FlatChunks.Length);
            while (start < end)
            {
                int to = FlatChunks.RunEnd(Undecayed, Runs, start, end, Decay, out float decay);
                Update(start, to, decay);
                start = to;
            }
        }

        private readonly void Update(int i, int end, float decay)
        {
            var (stepSize, momentum, decays) = (Vector512.Create(StepSize), Vector512.Create(Momentum), Vector512.Create(decay));
            var (factor, keep, take) = (Vector512.Create(Factor), Vector512.Create(Keep), Vector512.Create(Take));
            for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var p = Vector512.Load(Values + i);
                var g = Vector512.FusedMultiplyAdd(decays, p, factor * Vector512.Load(Gradients + i));
                if (Buffer is not null)
                {
                    var b = Vector512.FusedMultiplyAdd(momentum, Vector512.Load(Buffer + i), g);
                    b.Store(Buffer + i);
                    g = Nesterov ? Vector512.FusedMultiplyAdd(momentum, b, g) : b;
                }

                p = Vector512.FusedMultiplyAdd(stepSize, g, p);
                p.Store(Values + i);
                if (Average is not null)
                {
                    Vector512.FusedMultiplyAdd(keep, Vector512.Load(Average + i), take * p).Store(Average + i);
                }
            }

            for (; i < end; i++)
            {
                float p = Values[i];
                float g = MathF.FusedMultiplyAdd(decay, p, Factor * Gradients[i]);
                if (Buffer is not null)
                {
                    float b = MathF.FusedMultiplyAdd(Momentum, Buffer[i], g);
                    Buffer[i] = b;
                    g = Nesterov ? MathF.FusedMultiplyAdd(Momentum, b, g) : b;
                }

                p = MathF.FusedMultiplyAdd(StepSize, g, p);
                Values[i] = p;
                if (Average is not null)
                {
                    Average[i] = MathF.FusedMultiplyAdd(Keep, Average[i], Take * p);
                }
            }
        }
    }
}
