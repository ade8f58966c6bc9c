using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Conv1d
{
    private const int CudaThreads = 128;

    private static readonly KernelId FoldMirrorKernel = new("encoder/conv1d", "conv1d_fold_mirror");

    private static void CudaForward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, BatchNormEpilogue? norm, Tensor y) =>
        CudaGemm.Map(cuda, Windows(g, x), Kernels(g, weight).Transposed, bias, norm, y);

    private static void CudaBackward(CudaDevice cuda, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (weight.RequiresGrad)
        {
            var dw = weight.GradForWrite(out bool adds);
            var rows = MatrixView.Of(dy.Data, dy.Shape.Rows, g.OutputChannels, dy.RowStride);
            CudaGemm.Multiply(cuda, rows.Transposed, Windows(g, x), dw.Data, g.Taps * g.InputChannels, adds);
        }

        if (bias is { RequiresGrad: true })
        {
            Linear.CudaBiasGradient(cuda, dy, bias.GradForWrite(out bool adds), adds);
        }

        if (!x.RequiresGrad)
        {
            return;
        }

        bool mirrored = g.Padding == Padding.Reflect && g.Pad > 0;
        if (!mirrored)
        {
            CudaGemm.Gradient(cuda, GradientWindows(g, dy, padded: false), Taps(g, weight), x);
            return;
        }

        var whole = cuda.Workspace.Rent(new Shape(g.Batch, g.InputFrames + (2 * g.Pad), g.InputChannels));
        CudaGemm.Multiply(cuda, GradientWindows(g, dy, padded: true), Taps(g, weight), whole.Data, g.InputChannels, accumulate: false);
        var target = x.GradForWrite(out bool accumulate);
        cuda.Launch(
            FoldMirrorKernel, new LaunchShape((g.InputChannels + CudaThreads - 1) / CudaThreads, CudaThreads, g.InputFrames, g.Batch),
            whole.Address, target.Address, target.RowStride, g.InputFrames, g.InputChannels, g.Pad, accumulate ? 1 : 0);
    }
}
