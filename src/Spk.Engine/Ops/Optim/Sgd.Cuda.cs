using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Optim;

public static partial class Sgd
{
    private const int CudaThreads = 256;

    private static readonly KernelId StepKernel = new("optim/sgd", "sgd_step");

    private static void CudaStep(CudaDevice cuda, Tensor values, Tensor gradients, Tensor? buffer, in SgdSettings settings, Tensor? undecayed, in MovingAverage? average) =>
        cuda.Launch(
            StepKernel, new LaunchShape((values.Count + CudaThreads - 1) / CudaThreads, CudaThreads), values.Address, gradients.Address,
            buffer?.Address ?? 0, undecayed?.Address ?? 0, undecayed is null ? 0 : undecayed.Count / 2, average?.Values.Address ?? 0, values.Count,
            (float)-settings.LearningRate, (float)settings.Momentum, (float)settings.WeightDecay, (float)settings.GradientFactor, average?.Keep ?? 0, average?.Take ?? 0,
            settings.Nesterov ? 1 : 0);
}
