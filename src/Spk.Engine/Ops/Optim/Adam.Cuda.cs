using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Optim;

public static unsafe partial class Adam
{
    private const int CudaThreads = 256;

    private static readonly KernelId StepKernel = new("optim/adam", "adam_step");

    /// <summary>One step with the kernel of Adam or AdamW, which take the same arguments.</summary>
    internal static void CudaStep(
        CudaDevice cuda, KernelId kernel, Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, Tensor? undecayed, Tensor? average, Factors factors) =>
        cuda.Launch(
            kernel, new LaunchShape((values.Count + CudaThreads - 1) / CudaThreads, CudaThreads), values.Address, gradients.Address, mean.Address,
            meanSquare.Address, undecayed?.Address ?? 0, undecayed is null ? 0 : undecayed.Count / 2,
            average?.Address ?? 0, values.Count, KernelArgument.Structure(&factors));

    private static void CudaStep(
        CudaDevice cuda, Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, Tensor? undecayed, Tensor? average, in Factors factors) =>
        CudaStep(cuda, StepKernel, values, gradients, mean, meanSquare, undecayed, average, factors);
}
