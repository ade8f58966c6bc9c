using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static partial class Perturb
{
    private const int CudaRows = 4;

    private static readonly KernelId RowsKernel = new("encoder/perturb", "perturb_rows");

    private static void CudaForward(CudaDevice cuda, Tensor x, Tensor directions, float distance, Tensor? radii, Tensor y) =>
        cuda.Launch(
            RowsKernel, new LaunchShape((x.Shape[0] + CudaRows - 1) / CudaRows, 32 * CudaRows), x.Address, directions.Address, distance,
            radii?.Address ?? 0, y.Address, x.Shape[0], x.Shape[1]);
}
