using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static partial class SelfAttentivePool
{
    private const string CudaSource = "encoder/self_attentive_pool";
    private const int CudaThreads = 256;

    private static readonly KernelId MeanKernel = new(CudaSource, "self_attentive_pool_mean");
    private static readonly KernelId MeanBackwardKernel = new(CudaSource, "self_attentive_pool_mean_backward");
    private static readonly KernelId AttendKernel = new(CudaSource, "self_attentive_pool_attend");
    private static readonly KernelId AttendBackwardKernel = new(CudaSource, "self_attentive_pool_attend_backward");

    private static void CudaMean(CudaDevice cuda, Tensor x, Tensor y) =>
        cuda.Launch(MeanKernel, PerElement(x.Shape), x.Address, x.Shape[1], x.Shape[2] * x.Shape[3], y.Address);

    private static void CudaMeanBackward(CudaDevice cuda, Tensor dy, Tensor dx, bool accumulate) =>
        cuda.Launch(
            MeanBackwardKernel, PerElement(dx.Shape), dy.Address, dx.Shape[1], dx.Shape[2] * dx.Shape[3], dx.Address, accumulate ? 1 : 0);

    private static void CudaAttend(CudaDevice cuda, Tensor frames, Tensor hidden, Tensor attention, Tensor weights, Tensor y) =>
        cuda.Launch(
            AttendKernel, new LaunchShape(frames.Shape[0], CudaThreads), frames.Address, hidden.Address, attention.Address, frames.Shape[1],
            frames.Shape[2], hidden.Shape[2], weights.Address, y.Address);

    private static void CudaAttendBackward(
        CudaDevice cuda,
        AttendNode node,
        Tensor dy,
        Tensor? framesGradient,
        bool accumulate,
        Tensor hiddenGradient,
        Tensor ofItems,
        Tensor attentionGradient,
        bool adds)
    {
        var frames = node.Frames;
        cuda.Launch(
            AttendBackwardKernel, new LaunchShape(frames.Shape[0], CudaThreads), frames.Address, node.Hidden.Address, node.Attention.Address,
            node.Weights.Address, node.Y.Address, dy.Address, frames.Shape[1], frames.Shape[2], node.Hidden.Shape[2], framesGradient?.Address ?? 0,
            accumulate ? 1 : 0, hiddenGradient.Address, ofItems.Address);
        Linear.CudaBiasGradient(cuda, ofItems, attentionGradient, adds);
    }

    private static LaunchShape PerElement(Shape x) => new(((x[2] * x[3]) + CudaThreads - 1) / CudaThreads, CudaThreads, x[0]);
}
