using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// Rows of a constant bank by their numbers: another order of a batch (the shuffled keys of MoCo), or stored positives in place of
/// a batch's own (SSPS, Lepage and Dehak 2025).
/// </summary>
public static partial class SelectRows
{
    /// <summary>Row i of the result is row index[i] of the bank or, where index[i] is −1, row i of <paramref name="otherwise"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="bank">f32 [R, …], contiguous; no gradient flows to it.</param>
    /// <param name="index">i32 [N], each −1 to R − 1, and none −1 without <paramref name="otherwise"/>; on the bank's device.</param>
    /// <param name="otherwise">f32 [N, …], contiguous, rows like the bank's; receives the gradient of the rows it gave. May be null.</param>
    /// <returns>f32 [N, …].</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    public static Tensor Forward(Tape? tape, Tensor bank, Tensor index, Tensor? otherwise = null)
    {
        ArgumentNullException.ThrowIfNull(bank);
        ArgumentNullException.ThrowIfNull(index);
        int rows = index.Count, width = bank.Shape[0] == 0 ? 0 : bank.Count / bank.Shape[0];
        var shape = WithRows(bank.Shape, rows);
        if (index.ElementType != ElementType.Int32 || !bank.IsContiguous || width == 0 || (otherwise is not null && (otherwise.Shape != shape || !otherwise.IsContiguous)))
        {
            throw new ShapeException(
                $"Selecting rows needs a contiguous bank [R, …] with R above 0, i32 numbers [N] and rows [N, …] like the bank's, not {bank.Shape}, {index.ElementType} {index.Shape} and {otherwise?.Shape ?? shape}.");
        }

        var y = bank.Device.Workspace.Rent(shape);
        if (y.Device is CudaDevice cuda)
        {
            CudaForward(cuda, bank, index, otherwise, y, rows, width);
        }
        else
        {
            CpuForward(Cpu.Of(y.Device), bank, index, otherwise, y, rows, width);
        }

        if (tape is not null && otherwise is { RequiresGrad: true })
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Index, node.Otherwise, node.Y) = (index, otherwise, y);
        }

        return y;
    }

    private static Shape WithRows(Shape shape, int rows) => shape.Rank switch
    {
        1 => new Shape(rows),
        2 => new Shape(rows, shape[1]),
        3 => new Shape(rows, shape[1], shape[2]),
        _ => new Shape(rows, shape[1], shape[2], shape[3]),
    };

    private sealed class Node : TapeNode
    {
        public Tensor Index = null!, Otherwise = null!, Y = null!;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            var gradient = Otherwise.GradForWrite(out bool accumulate);
            int rows = Index.Count, width = Y.Count / Math.Max(1, rows);
            if (Y.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, Index, dy, gradient, accumulate, rows, width);
            }
            else
            {
                CpuBackward(Cpu.Of(Y.Device), Index, dy, gradient, accumulate, rows, width);
            }
        }
    }
}
