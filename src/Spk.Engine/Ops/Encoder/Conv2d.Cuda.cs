using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Conv2d
{
    private static void CudaForward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor y) =>
        throw new NotSupportedException();

    private static void CudaBackward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor dy) =>
        throw new NotSupportedException();
}
