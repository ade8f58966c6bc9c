using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Moves every row by a given distance in a given direction: virtual adversarial examples (Miyato et al., arXiv:1704.03976), noise of given size.</summary>
public static partial class Perturb
{
    // Shorter directions are no direction: the row stays.
    private const float SmallestLength = 1e-30f;

    /// <summary>y(i) = x(i) + distance · radius(i) · d(i) / ‖d(i)‖.</summary>
    /// <param name="x">f32 [N, D], contiguous.</param>
    /// <param name="directions">d, f32 [N, D], contiguous, of any length; a row of zeros leaves its row of x where it is.</param>
    /// <param name="distance">What all radii are multiplied by.</param>
    /// <param name="radii">f32 [N], one a row; null for 1.</param>
    /// <returns>f32 [N, D], a new tensor without history: set its <see cref="Tensor.RequiresGrad"/> for the gradient at the moved rows.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static Tensor Forward(Tensor x, Tensor directions, float distance, Tensor? radii = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(directions);
        if (x.Shape.Rank != 2 || directions.Shape != x.Shape || !x.IsContiguous || !directions.IsContiguous || (radii is not null && radii.Count != x.Shape[0]))
        {
            throw new ShapeException(
                $"Moving rows needs contiguous rows [N, D], directions [N, D] and radii [N], not {x.Shape}, {directions.Shape} and {radii?.Shape ?? new Shape(x.Shape[0])}.");
        }

        var y = x.Device.Workspace.Rent(x.Shape);
        if (y.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, directions, distance, radii, y);
        }
        else
        {
            CpuForward(Cpu.Of(y.Device), x, directions, distance, radii, y);
        }

        return y;
    }
}
