using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class PrototypeDistill
{
    private static void CudaForward(CudaDevice cuda, in Sizes sizes, ref Operands operands, Tensor centre, Tensor loss, Tensor statistics, Tensor means) =>
        throw new NotSupportedException();

    private static void CudaBackward(CudaDevice cuda, in Sizes sizes, in Operands operands, Tensor? prototypes, Tensor lossGradient) =>
        throw new NotSupportedException();
}
