using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Cluster;

public static unsafe partial class TopClass
{
    private static void CpuForward(CpuDevice cpu, Tensor logits, Tensor labels, Tensor probabilities)
    {
        var body = new Body
        {
            Logits = logits.Data,
            Stride = logits.RowStride,
            Classes = logits.Shape[1],
            Labels = labels.IntData,
            Probabilities = probabilities.Data,
        };
        cpu.Workers.For(logits.Shape[0], ref body);
    }

    private struct Body : IParallelBody
    {
        public float* Logits, Probabilities;
        public nint Stride;
        public int Classes;
        public int* Labels;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            float* logits = Logits + (index * Stride);
            Labels[index] = TensorPrimitives.IndexOfMax(new ReadOnlySpan<float>(logits, Classes));
            Probabilities[index] = LogSoftmax.Of(logits, Classes).Highest;
        }
    }
}
