using System.Numerics.Tensors;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Interop;
using Shape = Spk.Engine.Tensors.Shape;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Engine.Collectives;

/// <summary>
/// Puts the embeddings of all processes side by side, as if one process had embedded the whole batch. What comes back to a process's own rows
/// is multiplied by the number of processes: see <see cref="Collective"/>.
/// </summary>
public static partial class GatherViews
{
    /// <summary>Gathers.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">This process's share, contiguous f32 [V·B/R, D], view-major, of one shape on all R processes.</param>
    /// <param name="views">V.</param>
    /// <returns>The whole batch, f32 [V·B, D], view-major, in each view rank 0's rows first; <paramref name="x"/> itself where a process works alone.</returns>
    /// <exception cref="ShapeException">The rows are no whole number of views.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, int views)
    {
        ArgumentNullException.ThrowIfNull(x);
        var collective = x.Device.Collective;
        if (collective.Ranks == 1)
        {
            return x;
        }

        int rows = x.Shape.Rows, ranks = collective.Ranks;
        if (views < 1 || rows % views != 0)
        {
            throw new ShapeException($"{rows} rows are no whole number of {views} views.");
        }

        var workspace = x.Device.Workspace;
        var gathered = workspace.Rent(new Shape(ranks * rows, x.Shape.Last));
        collective.Gather(x, gathered);
        var y = workspace.Rent(gathered.Shape);
        if (x.Device is CudaDevice cuda)
        {
            CudaPlace(cuda, gathered, y, ranks, views);
        }
        else
        {
            Place(gathered, y, ranks, views);
        }

        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.X, node.Y, node.Views) = (x, y, views);
        }

        return y;
    }

    private static void Place(Tensor gathered, Tensor y, int ranks, int views)
    {
        int each = y.Shape.Rows / ranks / views;
        for (int rank = 0; rank < ranks; rank++)
        {
            for (int view = 0; view < views; view++)
            {
                Rows(gathered, ((rank * views) + view) * each, each).CopyTo(Rows(y, ((view * ranks) + rank) * each, each));
            }
        }
    }

    private static void Take(Tensor dy, Tensor dx, int views, bool accumulate)
    {
        var collective = dx.Device.Collective;
        int each = dx.Shape.Rows / views;
        for (int view = 0; view < views; view++)
        {
            var from = Rows(dy, ((view * collective.Ranks) + collective.Rank) * each, each);
            var to = Rows(dx, view * each, each);
            if (accumulate)
            {
                TensorPrimitives.MultiplyAdd(from, (float)collective.Ranks, to, to);
            }
            else
            {
                TensorPrimitives.Multiply(from, (float)collective.Ranks, to);
            }
        }
    }

    private static Span<float> Rows(Tensor tensor, int first, int count) => tensor.AsSpan().Slice(first * tensor.Shape.Last, count * tensor.Shape.Last);

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!;
        public int Views;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            var dx = X.GradForWrite(out bool accumulate);
            if (X.Device is CudaDevice cuda)
            {
                CudaTake(cuda, dy, dx, Views, accumulate);
            }
            else
            {
                Take(dy, dx, Views, accumulate);
            }
        }
    }
}
