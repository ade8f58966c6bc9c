using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Turns a block of the student's logits S into what the products of the backward pass need, in place: dS/‖v_k‖ with
/// dS = factor · Σ_{t≠s} (p_s − q_t). An item is a run of columns, so that sums over the rows have one owner.
/// </summary>
internal unsafe struct DistillDerivatives : IParallelBody
{
    private const int ColumnsPerItem = 256;

    public DistillBlock Block;

    /// <summary>The finished sums.</summary>
    public DistillRows Rows;

    /// <summary>Gradient of the loss over pairs, batch and τ_s.</summary>
    public float Factor;

    /// <summary>Out, by column: (dw_k·w_k)/‖v_k‖², which times v_k is the part of the gradient along v_k; 0 below the norm's floor.</summary>
    public float* Along;

    public float NormFloor;

    public readonly int Items => (Block.Columns + ColumnsPerItem - 1) / ColumnsPerItem;

    public readonly void Run(int index, int worker)
    {
        int from = index * ColumnsPerItem, count = Math.Min(ColumnsPerItem, Block.Columns - from);
        float* targets = (float*)WorkerPool.Of(Rows.Workers).Scratch(worker, (nuint)((Rows.TeacherViews + 1) * ColumnsPerItem) * sizeof(float));
        float* allTargets = targets + (Rows.TeacherViews * ColumnsPerItem);
        new Span<float>(Along + from, CosineProblem.Padded(count)).Clear();
        for (int i = 0; i < Rows.Batch; i++)
        {
            new Span<float>(allTargets, ColumnsPerItem).Clear();
            for (int t = 0; t < Rows.TeacherViews; t++)
            {
                AddTargets(((Rows.StudentViews + t) * Rows.Batch) + i, from, count, targets + (t * ColumnsPerItem), allTargets);
            }

            for (int s = 0; s < Rows.StudentViews; s++)
            {
                Derive((s * Rows.Batch) + i, from, count, s < Rows.TeacherViews ? targets + (s * ColumnsPerItem) : null, allTargets);
            }
        }

        for (int k = from; k < from + count; k++)
        {
            float inverseNorm = Block.StudentInverseNorms[k];
            Along[k] = inverseNorm < 1 / NormFloor ? Along[k] * inverseNorm : 0;
        }
    }

    private readonly void AddTargets(int row, int from, int count, float* own, float* all)
    {
        float* logits = Block.Row(row) + from;
        var scale = Vector512.Create(Rows.TeacherScale);
        var bias = ScaledPower.BiasOf(Rows.Shifts[row]);
        var share = Vector512.Create((float)(1 / Rows.Powers[row]));
        for (int i = 0; i < count; i += Vector512<float>.Count)
        {
            var target = ScaledPower.Of(Vector512.Load(logits + i), scale, bias) * share;
            target.Store(own + i);
            (Vector512.Load(all + i) + target).Store(all + i);
        }
    }

    // One view of the student against all views of the teacher but, where it has one, its own.
    private readonly void Derive(int row, int from, int count, float* own, float* all)
    {
        float* logits = Block.Row(row) + from;
        float* inverseNorms = Block.StudentInverseNorms + from;
        float* along = Along + from;
        int terms = own == null ? Rows.TeacherViews : Rows.TeacherViews - 1;
        var scale = Vector512.Create(Rows.StudentScale);
        var bias = ScaledPower.BiasOf(Rows.Shifts[row]);
        var share = Vector512.Create((float)(terms / Rows.Powers[row]));
        var factor = Vector512.Create(Factor);
        for (int i = 0; i < count; i += Vector512<float>.Count)
        {
            var logit = Vector512.Load(logits + i);
            var target = Vector512.Load(all + i);
            if (own != null)
            {
                target -= Vector512.Load(own + i);
            }

            var derivative = Vector512.FusedMultiplyAdd(ScaledPower.Of(logit, scale, bias), share, -target) * factor * Vector512.Load(inverseNorms + i);
            derivative.Store(logits + i);
            Vector512.FusedMultiplyAdd(derivative, logit, Vector512.Load(along + i)).Store(along + i);
        }
    }
}
