using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Optim;

public static partial class Ema
{
    private const int CudaThreads = 256;

    private static readonly KernelId StepKernel = new("optim/ema", "ema_step");

    private static void CudaStep(CudaDevice cuda, Tensor target, Tensor source, double momentum) =>
        cuda.Launch(
            StepKernel, new LaunchShape((target.Count + CudaThreads - 1) / CudaThreads, CudaThreads), target.Address, source.Address, target.Count,
            (float)momentum, (float)(1 - momentum));
}
