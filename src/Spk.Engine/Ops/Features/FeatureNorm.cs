using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Features;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Features;

/// <summary>Normalisation of features over time, for every utterance and channel by itself.</summary>
/// <remarks>
/// Mean: x − μ. Instance: (x − μ) / √(biased variance + eps), no affine, no running statistics. One frame becomes zeros.
/// </remarks>
public static partial class FeatureNorm
{
    /// <summary>Normalises and records the step.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Features, f32 [N, T, F], contiguous.</param>
    /// <param name="kind">What is removed; None returns x itself.</param>
    /// <param name="eps">Added to the variance, above 0; instance norm only.</param>
    /// <returns>f32 [N, T, F].</returns>
    /// <exception cref="ShapeException">x is not a contiguous tensor [N, T, F].</exception>
    public static Tensor Forward(Tape? tape, Tensor x, FeatureNormalization kind, float eps = 1e-5f)
    {
        Check(x, eps);
        if (kind == FeatureNormalization.None)
        {
            return x;
        }

        var workspace = x.Device.Workspace;
        var y = workspace.Rent(x.Shape);
        bool records = tape is not null && x.RequiresGrad;
        var inverse = records && kind == FeatureNormalization.Instance ? workspace.Rent(new Shape(x.Shape[0], x.Shape[2])) : null;
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, y, inverse, kind, eps);
        }
        else
        {
            CpuForward(Cpu.Of(x.Device), x, y, inverse, kind, eps);
        }

        if (records)
        {
            y.RequiresGrad = true;
            var node = tape!.Record<Node>();
            (node.X, node.Y, node.InverseDeviation) = (x, y, inverse);
        }

        return y;
    }

    /// <summary>Normalises without a copy, for features that need no gradient.</summary>
    /// <param name="x">Features, f32 [N, T, F], contiguous; overwritten.</param>
    /// <param name="kind">What is removed.</param>
    /// <param name="eps">Added to the variance, above 0; instance norm only.</param>
    /// <returns>x.</returns>
    /// <exception cref="ShapeException">x is not a contiguous tensor [N, T, F].</exception>
    public static Tensor InPlace(Tensor x, FeatureNormalization kind, float eps = 1e-5f)
    {
        Check(x, eps);
        if (kind != FeatureNormalization.None)
        {
            if (x.Device is CudaDevice cuda)
            {
                CudaForward(cuda, x, x, null, kind, eps);
            }
            else
            {
                CpuForward(Cpu.Of(x.Device), x, x, null, kind, eps);
            }
        }

        return x;
    }

    private static void Check(Tensor x, float eps)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Shape.Rank != 3 || !x.IsContiguous)
        {
            throw new ShapeException($"Feature normalisation needs contiguous features [N, T, F], not {x.Shape} with row stride {x.RowStride}.");
        }

        if (!(eps > 0))
        {
            throw new InvalidOptionException($"eps = {eps}: allowed is a value above 0.");
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!;
        public Tensor? InverseDeviation;

        public override void Backward()
        {
            if (Y.Grad is { } dy)
            {
                var dx = X.GradForWrite(out bool accumulate);
                if (X.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, Y, dy, InverseDeviation, dx, accumulate);
                }
                else
                {
                    CpuBackward(Cpu.Of(X.Device), Y, dy, InverseDeviation, dx, accumulate);
                }
            }
        }
    }
}
