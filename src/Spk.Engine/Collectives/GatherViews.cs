using System.Numerics.Tensors;
using Spk.Engine.Autograd;
using Spk.Interop;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Engine.Collectives;

/// <summary>
/// Puts the embeddings of all processes side by side, as if one process had embedded the whole batch. What comes back to a process's own rows
/// is multiplied by the number of processes: see <see cref="Collective"/>.
/// </summary>
public static class GatherViews
{
    /// <summary>Gathers.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">This process's share, f32 [V·B/R, D], view-major.</param>
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

        int rows = x.Shape.Rows, width = x.Shape.Last, own = rows / Math.Max(1, views) * width;
        if (views < 1 || rows % views != 0)
        {
            throw new ShapeException($"{rows} rows are no whole number of {views} views.");
        }

        var y = x.Device.Workspace.Rent(new Tensors.Shape(rows * collective.Ranks, width));
        var all = collective.Gather(x);
        for (int rank = 0; rank < collective.Ranks; rank++)
        {
            for (int view = 0; view < views; view++)
            {
                int first = ((view * collective.Ranks) + rank) * (rows / views);
                y.Slice(first, rows / views).CopyFrom(all.Slice(((rank * views) + view) * own, own));
            }
        }

        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.X, node.Y, node.Views) = (x, y, views);
        }

        return y;
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!;
        public int Views;
        private float[] _own = [], _before = [];

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            var collective = X.Device.Collective;
            int rows = X.Shape.Rows, each = rows / Views, own = each * X.Shape.Last;
            if (_own.Length != X.Count)
            {
                (_own, _before) = (new float[X.Count], new float[X.Count]);
            }

            for (int view = 0; view < Views; view++)
            {
                dy.Slice(((view * collective.Ranks) + collective.Rank) * each, each).CopyTo(_own.AsSpan(view * own, own));
            }

            TensorPrimitives.Multiply(_own, collective.Ranks, _own);
            var dx = X.GradForWrite(out bool accumulate);
            if (accumulate)
            {
                dx.CopyTo(_before);
                TensorPrimitives.Add(_own, _before, _own);
            }

            dx.CopyFrom(_own);
        }
    }
}
