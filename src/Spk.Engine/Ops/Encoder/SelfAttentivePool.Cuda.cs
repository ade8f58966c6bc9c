using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class SelfAttentivePool
{
    private static void CudaMean(CudaDevice cuda, Tensor x, Tensor y) => throw new NotSupportedException();

    private static void CudaMeanBackward(CudaDevice cuda, Tensor dy, Tensor dx, bool accumulate) => throw new NotSupportedException();

    private static void CudaAttend(CudaDevice cuda, Tensor frames, Tensor hidden, Tensor attention, Tensor weights, Tensor y) => throw new NotSupportedException();

    private static void CudaAttendBackward(
        CudaDevice cuda, AttendNode node, Tensor dy, Tensor? framesGradient, bool accumulate, Tensor hiddenGradient, Tensor ofItems, Tensor attentionGradient, bool adds) =>
        throw new NotSupportedException();
}
