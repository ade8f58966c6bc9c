using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// Convex combinations of the rows of a batch: the mixed inputs of i-mix (Lee et al., arXiv:2010.08887) and the mixed latents of l-mix.
/// </summary>
public static partial class MixRows
{
    /// <summary>y(i) = λ(i) x(i) + (1 − λ(i)) x(π(i)).</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [N, …], contiguous, with an element or more.</param>
    /// <param name="mix">Partners and weights of the N rows, on the device of <paramref name="x"/>; no gradient flows to them.</param>
    /// <returns>A new tensor of the shape of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other, or (on the CPU, where it is checked) a partner is no row.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, RowMix mix)
    {
        ArgumentNullException.ThrowIfNull(x);
        int rows = x.Shape[0];
        if (!x.IsContiguous || x.Count < 1 || mix.Partners.ElementType != ElementType.Int32 || mix.Partners.Count != rows || mix.Weights.Count != rows)
        {
            throw new ShapeException(
                $"Mixing rows needs contiguous rows [N, …], i32 partners [N] and weights [N], not {x.Shape}, {mix.Partners.ElementType} {mix.Partners.Shape} and {mix.Weights.Shape}.");
        }

        var y = x.Device.Workspace.Rent(x.Shape);
        if (y.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, mix, y, rows, x.Count / rows);
        }
        else
        {
            CpuForward(Cpu.Of(y.Device), x, mix, y, rows, x.Count / rows);
        }

        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.X, node.Y, node.Mix) = (x, y, mix);
        }

        return y;
    }

    // dx(i) = λ(i) dy(i) + Σ (1 − λ(j)) dy(j) over the rows j whose partner is i, in the order of j.
    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!;
        public RowMix Mix;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            var dx = X.GradForWrite(out bool accumulate);
            int rows = X.Shape[0], width = X.Count / rows;
            if (Y.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, dy, Mix, dx, accumulate, rows, width);
            }
            else
            {
                CpuBackward(Cpu.Of(Y.Device), dy, Mix, dx, accumulate, rows, width);
            }
        }
    }
}
