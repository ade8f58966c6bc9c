using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class WeightedSum
{
    private static readonly KernelId AddKernel = new("loss/weighted_sum", "weighted_sum_add");
    private static readonly LaunchShape OneThread = new(1, 1);

    // A launch a term: a handful of numbers, which a recorded step replays without the cost of a launch.
    private static void CudaForward(CudaDevice cuda, ReadOnlySpan<Tensor> losses, ReadOnlySpan<float> weights, Tensor sum)
    {
        for (int i = 0; i < losses.Length; i++)
        {
            cuda.Launch(AddKernel, OneThread, losses[i].Address, weights[i], sum.Address, i > 0 ? 1 : 0);
        }
    }

    private static void CudaBackward(CudaDevice cuda, Tensor dy, float weight, Tensor gradient, bool accumulate) =>
        cuda.Launch(AddKernel, OneThread, dy.Address, weight, gradient.Address, accumulate ? 1 : 0);
}
