using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

public static unsafe partial class Ema
{
    private static void CpuStep(CpuDevice cpu, Tensor target, Tensor source, double momentum)
    {
        var body = new StepBody
        {
            Target = target.Data,
            Source = source.Data,
            Count = target.Count,
            Momentum = (float)momentum,
            Rest = (float)(1 - momentum),
        };
        cpu.Workers.For(FlatChunks.Count(target.Count), ref body);
    }

    private struct StepBody : IParallelBody
    {
        public float* Target, Source;
        public int Count;
        public float Momentum, Rest;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int i = index * FlatChunks.Length;
            int end = Math.Min(Count, i + FlatChunks.Length);
            var (momentum, rest) = (Vector512.Create(Momentum), Vector512.Create(Rest));
            for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                Vector512.FusedMultiplyAdd(momentum, Vector512.Load(Target + i), rest * Vector512.Load(Source + i)).Store(Target + i);
            }

            for (; i < end; i++)
            {
                Target[i] = MathF.FusedMultiplyAdd(Momentum, Target[i], Rest * Source[i]);
            }
        }
    }
}
