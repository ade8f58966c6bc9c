using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class SqueezeExcite
{
    private const string CudaSource = "encoder/squeeze_excite";
    private const int CudaChannels = 32, CudaLanes = 8, CudaThreads = 256;

    private static readonly KernelId TimeSumsKernel = new(CudaSource, "squeeze_excite_time_sums");
    private static readonly KernelId ReluKernel = new(CudaSource, "squeeze_excite_relu");
    private static readonly KernelId SigmoidKernel = new(CudaSource, "squeeze_excite_sigmoid");
    private static readonly KernelId SigmoidBackwardKernel = new(CudaSource, "squeeze_excite_sigmoid_backward");
    private static readonly KernelId ReluBackwardKernel = new(CudaSource, "squeeze_excite_relu_backward");
    private static readonly KernelId ScaleKernel = new(CudaSource, "squeeze_excite_scale");
    private static readonly KernelId ScaleBackwardKernel = new(CudaSource, "squeeze_excite_scale_backward");

    private static void CudaForward(
        CudaDevice cuda,
        Tensor x,
        Tensor reduceWeight,
        Tensor reduceBias,
        Tensor expandWeight,
        Tensor expandBias,
        Tensor? residual,
        Tensor means,
        Tensor hidden,
        Tensor gates,
        Tensor y)
    {
        CudaGemm.Multiply(cuda, Matrix(means), Matrix(reduceWeight).Transposed, hidden.Data, hidden.RowStride, accumulate: false, new ProductEpilogue(reduceBias));
        cuda.Launch(ReluKernel, Elements(hidden), hidden.Address, hidden.Count);
        CudaGemm.Multiply(cuda, Matrix(hidden), Matrix(expandWeight).Transposed, gates.Data, gates.RowStride, accumulate: false, new ProductEpilogue(expandBias));
        cuda.Launch(SigmoidKernel, Elements(gates), gates.Address, gates.Count);
        cuda.Launch(
            ScaleKernel, ElementTiles.Of(x.Shape), x.Address, x.RowStride, gates.Address, residual?.Address ?? 0, residual?.RowStride ?? 0, y.Address,
            y.RowStride, x.Shape.Rows, Frames(x), x.Shape.Last);
    }

    private static void CudaBackward(
        CudaDevice cuda, Node node, Tensor dy, Tensor gateGradient, Tensor? dx, bool addX, Tensor? residualGradient, bool addResidual)
    {
        CudaTimeSums(cuda, node.X, dy, gateGradient, 1f);
        cuda.Launch(SigmoidBackwardKernel, Elements(gateGradient), gateGradient.Address, node.Gates.Address, gateGradient.Count);
        var hiddenGradient = cuda.Workspace.Rent(node.Hidden.Shape);
        BackwardOfProduct(cuda, node.Hidden, node.ExpandWeight, node.ExpandBias, gateGradient, hiddenGradient);
        cuda.Launch(ReluBackwardKernel, Elements(hiddenGradient), hiddenGradient.Address, node.Hidden.Address, hiddenGradient.Count);
        var meanGradient = cuda.Workspace.Rent(node.Means.Shape);
        BackwardOfProduct(cuda, node.Means, node.ReduceWeight, node.ReduceBias, hiddenGradient, meanGradient);
        cuda.Launch(
            ScaleBackwardKernel, ElementTiles.Of(dy.Shape), dy.Address, dy.RowStride, node.Gates.Address, meanGradient.Address, dx?.Address ?? 0,
            dx?.RowStride ?? 0, addX ? 1 : 0, residualGradient?.Address ?? 0, residualGradient?.RowStride ?? 0, addResidual ? 1 : 0, dy.Shape.Rows,
            Frames(dy), dy.Shape.Last);
    }

    // y = x Wᵀ + b: adds to the gradients of W and b, and gives that of x.
    private static void BackwardOfProduct(CudaDevice cuda, Tensor x, Tensor weight, Tensor bias, Tensor dy, Tensor dx)
    {
        Linear.CudaBiasGradient(cuda, dy, bias.GradForWrite(out bool addBias), addBias);
        var dw = weight.GradForWrite(out bool addWeight);
        CudaGemm.Multiply(cuda, Matrix(dy).Transposed, Matrix(x), dw.Data, dw.RowStride, addWeight);
        CudaGemm.Multiply(cuda, Matrix(dy), Matrix(weight), dx.Data, dx.RowStride, accumulate: false);
    }

    private static void CudaTimeSums(CudaDevice cuda, Tensor x, Tensor? other, Tensor sums, float scale) =>
        cuda.Launch(
            TimeSumsKernel, new LaunchShape((x.Shape.Last + CudaChannels - 1) / CudaChannels, CudaChannels, x.Shape[0], BlockY: CudaLanes), x.Address,
            x.RowStride, other?.Address ?? 0, other?.RowStride ?? 0, Frames(x), x.Shape.Last, scale, sums.Address);

    private static MatrixView Matrix(Tensor x) => MatrixView.Of(x.Data, x.Shape[0], x.Shape[1], x.RowStride);

    private static LaunchShape Elements(Tensor x) => new((x.Count + CudaThreads - 1) / CudaThreads, CudaThreads);
}
