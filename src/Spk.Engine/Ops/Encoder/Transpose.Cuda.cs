using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static partial class Transpose
{
    private const int CudaSide = 32, CudaLanes = 8;

    private static readonly KernelId BatchKernel = new("encoder/transpose", "transpose_batch");

    private static void CudaRun(CudaDevice cuda, Tensor from, Tensor to, bool accumulate)
    {
        int rows = from.Shape[1], columns = from.Shape[2];
        cuda.Launch(
            BatchKernel, new LaunchShape((columns + CudaSide - 1) / CudaSide, CudaSide, (rows + CudaSide - 1) / CudaSide, from.Shape[0], CudaLanes),
            from.Address, from.RowStride, to.Address, to.RowStride, rows, columns, accumulate ? 1 : 0);
    }
}
