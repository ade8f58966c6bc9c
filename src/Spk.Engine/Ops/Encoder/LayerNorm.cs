using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Normalisation of every row by its own mean and variance (Ba, Kiros and Hinton, arXiv:1607.06450).</summary>
/// <remarks>
/// y = γ·x̂ + β with x̂ = (x − μ)·r and r = 1/√(σ² + eps), μ and the biased σ² over the row. Nothing but x and the two numbers of each row
/// is kept for the backward pass. A row that holds a NaN becomes NaN throughout.
/// </remarks>
public static partial class LayerNorm
{
    // Mean and r of every row.
    private const int StatisticsOfRow = 2;

    /// <summary>Normalises every row.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [..., C], C >= 1; a channel view is fine.</param>
    /// <param name="gamma">Scale γ [C].</param>
    /// <param name="beta">Offset β [C].</param>
    /// <param name="eps">Added to the variance, above 0.</param>
    /// <returns>f32 of x's shape.</returns>
    /// <exception cref="ShapeException">A parameter does not have a value for each channel of x.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, Parameter gamma, Parameter beta, float eps = 1e-5f)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(gamma);
        ArgumentNullException.ThrowIfNull(beta);
        var channels = new Shape(x.Shape.Last);
        if (gamma.Shape != channels || beta.Shape != channels)
        {
            throw new ShapeException($"Layer norm of {x.Shape} needs a scale and an offset {channels}; given {gamma.Shape} and {beta.Shape}.");
        }

        var y = x.Device.Workspace.Rent(x.Shape);
        var statistics = x.Device.Workspace.Rent(new Shape(x.Shape.Rows, StatisticsOfRow));
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, gamma.Value, beta.Value, eps, y, statistics);
        }
        else
        {
            CpuForward(Cpu.Of(x.Device), x, gamma.Value, beta.Value, eps, y, statistics);
        }

        if (tape is not null && (x.RequiresGrad || gamma.Value.RequiresGrad || beta.Value.RequiresGrad))
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.X, node.Gamma, node.Beta, node.Y, node.Statistics) = (x, gamma.Value, beta.Value, y, statistics);
        }

        return y;
    }

    /// <summary>
    /// With g = dy·γ: dx = r·(g − mean(g) − x̂·mean(g·x̂)), dγ = Σ over rows of dy·x̂, dβ = Σ over rows of dy.
    /// </summary>
    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Gamma = null!, Beta = null!, Y = null!, Statistics = null!;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            bool accumulate = false;
            var dx = X.RequiresGrad ? X.GradForWrite(out accumulate) : null;

            // dy·x̂ of every element: its column sums are the gradient of γ.
            var products = Gamma.RequiresGrad ? X.Device.Workspace.Rent(X.Shape) : null;
            if (X.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, this, dy, dx, accumulate, products);
            }
            else
            {
                CpuBackward(Cpu.Of(X.Device), this, dy, dx, accumulate, products);
            }
        }
    }
}
