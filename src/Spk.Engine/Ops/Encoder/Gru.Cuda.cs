using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Gru
{
    private const string CudaSource = "encoder/gru";
    private const int CudaThreads = 256;

    private static readonly KernelId StepKernel = new(CudaSource, "gru_step");
    private static readonly KernelId StepBackwardKernel = new(CudaSource, "gru_step_backward");

    private static void CudaForward(CudaDevice cuda, Tensor gates, Tensor weight, Tensor bias, Tensor first, Tensor candidates, Tensor y)
    {
        int items = y.Shape[0], frames = y.Shape[1], units = y.Shape[2];
        var recurrent = cuda.Workspace.Rent(new Shape(items, GateCount * units));
        for (int frame = 0; frame < frames; frame++)
        {
            // What a product splits and adds up is free for the next one: the stream runs them in order.
            var before = cuda.Workspace.Position;
            var state = frame == 0 ? Rows(first) : Frame(y, frame - 1);
            CudaGemm.Multiply(cuda, state, Rows(weight).Transposed, recurrent.Data, GateCount * units, accumulate: false, new ProductEpilogue(bias));
            cuda.Workspace.Advance(before);
            cuda.Launch(
                StepKernel, PerUnit(y.Shape), recurrent.Address, first.Address, items, frames, units, frame, gates.Address, candidates.Address, y.Address);
        }
    }

    private static void CudaBackward(CudaDevice cuda, Node node, Tensor dy, Tensor inputGradient)
    {
        var (gates, weight, y) = (node.Gates, node.Weight, node.Y);
        int items = y.Shape[0], frames = y.Shape[1], units = y.Shape[2];
        var carry = cuda.Workspace.Rent(new Shape(items, units));
        cuda.Zero(carry);
        for (int frame = frames - 1; frame >= 0; frame--)
        {
            cuda.Launch(
                StepBackwardKernel, PerUnit(y.Shape), dy.Address, node.Candidates.Address, node.First.Address, y.Address, items, frames, units, frame,
                gates.Address, inputGradient.Address, carry.Address);
            if (frame > 0 || node.First.RequiresGrad)
            {
                var before = cuda.Workspace.Position;
                CudaGemm.Multiply(cuda, Frame(gates, frame), Rows(weight), carry.Data, units, accumulate: true);
                cuda.Workspace.Advance(before);
            }
        }

        Add.Pass(node.First, carry);

        if (weight.RequiresGrad)
        {
            var gradient = weight.GradForWrite(out bool adds);
            CudaGemm.Multiply(cuda, Rows(gates).Transposed, Earlier(y), gradient.Data, gradient.RowStride, adds);
            if (!node.StartsFromZero)
            {
                CudaGemm.Multiply(cuda, Frame(gates, 0).Transposed, Rows(node.First), gradient.Data, gradient.RowStride, accumulate: true);
            }
        }

        if (node.Bias.RequiresGrad)
        {
            Linear.CudaBiasGradient(cuda, gates, node.Bias.GradForWrite(out bool adds), adds);
        }
    }

    private static LaunchShape PerUnit(Shape y) => new(((y[0] * y[2]) + CudaThreads - 1) / CudaThreads, CudaThreads);
}
