using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class MatMul
{
    private static void CudaMultiply(CudaDevice cuda, Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor y, bool accumulate) =>
        CudaGemm.Multiply(cuda, View(a, transposeA), View(b, transposeB), y.Data, y.RowStride, accumulate);
}
