using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Linear
{
    private const string CudaSource = "encoder/linear";
    private const int CudaColumns = 32, CudaLanes = 8, CudaThreads = 128, CudaRowsEach = 512;

    private static readonly KernelId ColumnSumsKernel = new(CudaSource, "linear_column_sums");
    private static readonly KernelId BiasGradientKernel = new(CudaSource, "linear_bias_gradient");

    /// <summary>Σ over the rows of dy, per column: the gradient of a bias, for every op that has one. What made dy may have summed runs of rows.</summary>
    internal static void CudaBiasGradient(CudaDevice cuda, Tensor dy, Tensor gradient, bool accumulate)
    {
        int columns = dy.Shape.Last;
        var sums = dy.RunSums ?? CudaRunSums(cuda, dy);
        cuda.Launch(
            BiasGradientKernel, new LaunchShape((columns + CudaThreads - 1) / CudaThreads, CudaThreads), sums.Address, sums.Shape[0], columns,
            accumulate ? 1 : 0, gradient.Address);
    }

    private static Tensor CudaRunSums(CudaDevice cuda, Tensor dy)
    {
        int rows = dy.Shape.Rows, columns = dy.Shape.Last, runs = (rows + CudaRowsEach - 1) / CudaRowsEach;
        var sums = cuda.Workspace.Rent(new Shape(runs, columns));
        cuda.Launch(
            ColumnSumsKernel, new LaunchShape((columns + CudaColumns - 1) / CudaColumns, CudaColumns, runs, BlockY: CudaLanes), dy.Address,
            dy.RowStride, rows, columns, CudaRowsEach, sums.Address);
        return sums;
    }

    private static void CudaForward(CudaDevice cuda, Tensor x, Tensor weight, Tensor? bias, BatchNormEpilogue? norm, Tensor y) =>
        CudaGemm.Map(cuda, Rows(x), Rows(weight).Transposed, bias, norm, y);

    private static void CudaBackward(CudaDevice cuda, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (weight.RequiresGrad)
        {
            var dw = weight.GradForWrite(out bool adds);
            CudaGemm.Multiply(cuda, Rows(dy).Transposed, Rows(x), dw.Data, dw.RowStride, adds);
        }

        if (bias is { RequiresGrad: true })
        {
            CudaBiasGradient(cuda, dy, bias.GradForWrite(out bool adds), adds);
        }

        if (x.RequiresGrad)
        {
            CudaGemm.Gradient(cuda, Rows(dy), Rows(weight), x);
        }
    }
}
