using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

public static partial class AdamW
{
    private static readonly KernelId StepKernel = new("optim/adam_w", "adam_w_step");

    internal static void CudaStep(
        CudaDevice cuda, Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, Tensor? undecayed, Tensor? average, in Adam.Factors factors) =>
        Adam.CudaStep(cuda, StepKernel, values, gradients, mean, meanSquare, undecayed, average, factors);
}
