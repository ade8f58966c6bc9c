using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class LayerNorm
{
    private const string CudaSource = "encoder/layer_norm";
    private const int CudaRows = 4, CudaThreads = 32 * CudaRows;

    private static readonly KernelId ForwardKernel = new(CudaSource, "layer_norm_forward");
    private static readonly KernelId BackwardKernel = new(CudaSource, "layer_norm_backward");

    private static void CudaForward(CudaDevice cuda, Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y, Tensor statistics) =>
        cuda.Launch(
            ForwardKernel, new LaunchShape((x.Shape.Rows + CudaRows - 1) / CudaRows, CudaThreads), x.Address, x.RowStride, gamma.Address, beta.Address,
            x.Shape.Rows, x.Shape.Last, eps, y.Address, statistics.Address);

    private static void CudaBackward(CudaDevice cuda, Node node, Tensor dy, Tensor? dx, bool accumulate, Tensor? products)
    {
        cuda.Launch(
            BackwardKernel, new LaunchShape((dy.Shape.Rows + CudaRows - 1) / CudaRows, CudaThreads), node.X.Address, node.X.RowStride, node.Gamma.Address,
            node.Statistics.Address, dy.Address, dy.RowStride, dy.Shape.Rows, dy.Shape.Last, dx?.Address ?? 0, dx?.RowStride ?? 0,
            accumulate ? 1 : 0, products?.Address ?? 0);
        if (products is not null)
        {
            Linear.CudaBiasGradient(cuda, products, node.Gamma.GradForWrite(out bool adds), adds);
        }

        if (node.Beta.RequiresGrad)
        {
            Linear.CudaBiasGradient(cuda, dy, node.Beta.GradForWrite(out bool adds), adds);
        }
    }
}
