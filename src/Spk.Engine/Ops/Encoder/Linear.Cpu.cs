using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Linear
{
    private static void CpuForward(CpuDevice cpu, Tensor x, Tensor weight, in ProductEpilogue epilogue, Tensor y) =>
        Gemm.Multiply(cpu, Rows(x), Rows(weight).Transposed, y.Data, y.RowStride, accumulate: false, epilogue);

    private static void CpuBackward(CpuDevice cpu, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (weight.RequiresGrad)
        {
            var dw = weight.GradForWrite(out bool adds);
            Gemm.Multiply(cpu, Rows(dy).Transposed, Rows(x), dw.Data, dw.RowStride, adds);
        }

        if (bias is { RequiresGrad: true })
        {
            var db = bias.GradForWrite(out bool adds);
            ColumnSum.Run(cpu, dy, db.Data, adds);
        }

        if (x.RequiresGrad)
        {
            var dx = x.GradForWrite(out bool adds);
            Gemm.Multiply(cpu, Rows(dy), Rows(weight), dx.Data, dx.RowStride, adds);
        }
    }

    private static MatrixView Rows(Tensor x) => MatrixView.Of(x.Data, x.Shape.Rows, x.Shape.Last, x.RowStride);
}
