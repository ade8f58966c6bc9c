using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

/// <summary>The mean over elements of a function of x − y: what <see cref="MeanSquared"/> and <see cref="L1"/> share.</summary>
internal static unsafe class ElementLosses
{
    private const int RowsOfBlock = 4, Threads = 256;

    private static readonly KernelId MeanKernel = new("loss/mean_squared", "mean_squared_mean");

    public static Tensor Forward<TLoss>(Tape? tape, Tensor x, Tensor target, Tensor? weights) where TLoss : struct, IElementLoss
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(target);
        if (x.Shape != target.Shape || x.Count == 0)
        {
            throw new ShapeException($"The loss needs two tensors of one shape with an element or more; given {x.Shape} and {target.Shape}.");
        }

        if (weights is not null && weights.Count != x.Shape.Rows)
        {
            throw new ShapeException($"The loss needs {x.Shape.Rows} weights, one a row; given {weights.Shape}.");
        }

        var workspace = x.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var sums = workspace.Rent(new Shape(2 * x.Shape.Rows)); // f64
        if (x.Device is CudaDevice cuda)
        {
            cuda.Launch(
                TLoss.SumsKernel, new LaunchShape((x.Shape.Rows + RowsOfBlock - 1) / RowsOfBlock, 32 * RowsOfBlock), x.Address, x.RowStride, target.Address,
                target.RowStride, x.Shape.Rows, x.Shape.Last, weights?.Address ?? 0, sums.Address);
            CudaMean(cuda, sums, x.Shape.Rows, x.Count, loss);
        }
        else
        {
            ElementSums.Forward<TLoss>(Cpu.Of(x.Device), x, target, weights, (double*)sums.Address, loss);
        }

        if (tape is not null && (x.RequiresGrad || target.RequiresGrad))
        {
            loss.RequiresGrad = true;
            var node = tape.Record<Node<TLoss>>();
            (node.X, node.Target, node.Weights, node.Loss) = (x, target, weights, loss);
        }

        return loss;
    }

    /// <summary>The sum of f64 numbers, a row each, over the number of elements; for other losses too.</summary>
    public static void CudaMean(CudaDevice cuda, Tensor sums, int rows, double elements, Tensor loss) =>
        cuda.Launch(MeanKernel, new LaunchShape(1, Threads), sums.Address, rows, elements, loss.Address);

    private sealed class Node<TLoss> : TapeNode where TLoss : struct, IElementLoss
    {
        public Tensor X = null!, Target = null!, Loss = null!;
        public Tensor? Weights;

        public override void Backward()
        {
            if (Loss.Grad is { } gradient)
            {
                Write(X, 1f / X.Count, gradient);
                Write(Target, -1f / X.Count, gradient);
            }
        }

        private void Write(Tensor of, float factor, Tensor lossGradient)
        {
            if (!of.RequiresGrad)
            {
                return;
            }

            var to = of.GradForWrite(out bool accumulate);
            if (of.Device is CudaDevice cuda)
            {
                cuda.Launch(
                    TLoss.GradientKernel, ElementTiles.Of(of.Shape), X.Address, X.RowStride, Target.Address, Target.RowStride, X.Shape.Rows, X.Shape.Last,
                    Weights?.Address ?? 0, lossGradient.Address, factor, to.Address, to.RowStride, accumulate ? 1 : 0);
            }
            else
            {
                ElementSums.Backward<TLoss>(Cpu.Of(of.Device), X, Target, Weights, factor * lossGradient.Data[0], to, accumulate);
            }
        }
    }
}
