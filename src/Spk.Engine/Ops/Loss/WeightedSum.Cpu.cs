using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class WeightedSum
{
    private static void CpuForward(ReadOnlySpan<Tensor> losses, ReadOnlySpan<float> weights, Tensor sum)
    {
        float total = 0;
        for (int i = 0; i < losses.Length; i++)
        {
            total = MathF.FusedMultiplyAdd(weights[i], *losses[i].Data, total);
        }

        *sum.Data = total;
    }

    private static void CpuBackward(Tensor dy, float weight, Tensor gradient, bool accumulate) =>
        *gradient.Data = accumulate ? MathF.FusedMultiplyAdd(weight, *dy.Data, *gradient.Data) : weight * *dy.Data;
}
