using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static partial class Add
{
    private static readonly KernelId RowsKernel = new("encoder/add", "add_rows");

    private static void CudaForward(CudaDevice cuda, Tensor a, Tensor b, Tensor y) =>
        cuda.Launch(
            RowsKernel, ElementTiles.Of(y.Shape), a.Address, a.RowStride, b.Address, b.RowStride, y.Address, y.RowStride, y.Shape.Rows, y.Shape.Last);

    private static void CudaCopy(CudaDevice cuda, Tensor x, Tensor y) =>
        cuda.Launch(RowsKernel, ElementTiles.Of(y.Shape), x.Address, x.RowStride, (nint)0, 0, y.Address, y.RowStride, y.Shape.Rows, y.Shape.Last);
}
