using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class MatMul
{
    private static void CpuMultiply(CpuDevice cpu, Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor y, bool accumulate) =>
        Gemm.Multiply(cpu, View(a, transposeA), View(b, transposeB), y.Data, y.RowStride, accumulate);

    private static MatrixView View(Tensor x, bool transpose)
    {
        var view = MatrixView.Of(x.Data, x.Shape[0], x.Shape[1], x.RowStride);
        return transpose ? view.Transposed : view;
    }
}
