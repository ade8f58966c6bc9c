using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Turns a block of the student's logits into what both products of the backward pass need, in place: dS/‖v_k‖ with
/// dS = factor · Σ_{t≠s} (p_s − q_t). An item is one utterance with all its views.
/// </summary>
internal unsafe struct DistillDerivatives : IParallelBody
{
    /// <summary>The block, and the finished sums of all blocks.</summary>
    public DistillRows Rows;

    /// <summary>Whether the block holds logits already, not just products.</summary>
    public bool IsFinished;

    /// <summary>Gradient of the loss over pairs, batch and τ_s.</summary>
    public float Factor;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int batch = Rows.Batch, views = Rows.StudentViews + Rows.TeacherViews;
        for (int view = 0; view < views && !IsFinished; view++)
        {
            Rows.Block.Finish((view * batch) + index);
        }

        float* targets = (float*)WorkerPool.Of(Rows.Workers).Scratch(worker, (nuint)((Rows.TeacherViews + 1) * DistillRows.Span) * sizeof(float));
        float* allTargets = targets + (Rows.TeacherViews * DistillRows.Span);
        for (int from = 0; from < Rows.Block.Columns; from += DistillRows.Span)
        {
            int count = Math.Min(DistillRows.Span, Rows.Block.Columns - from);
            new Span<float>(allTargets, DistillRows.Span).Clear();
            for (int t = 0; t < Rows.TeacherViews; t++)
            {
                AddTargets(Rows.StudentRows + (t * batch) + index, from, count, targets + (t * DistillRows.Span), allTargets);
            }

            for (int s = 0; s < Rows.StudentViews; s++)
            {
                Derive((s * batch) + index, from, count, s < Rows.TeacherViews ? targets + (s * DistillRows.Span) : null, allTargets);
            }
        }
    }

    private readonly void AddTargets(int row, int from, int count, float* own, float* all)
    {
        float* logits = Rows.Block.Row(row) + from;
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
        float* logits = Rows.Block.Row(row) + from;
        float* inverseNorms = Rows.Block.StudentInverseNorms + from;
        int terms = own == null ? Rows.TeacherViews : Rows.TeacherViews - 1;
        var scale = Vector512.Create(Rows.StudentScale);
        var bias = ScaledPower.BiasOf(Rows.Shifts[row]);
        var share = Vector512.Create((float)(terms / Rows.Powers[row]));
        var factor = Vector512.Create(Factor);
        for (int i = 0; i < count; i += Vector512<float>.Count)
        {
            var target = Vector512.Load(all + i);
            if (own != null)
            {
                target -= Vector512.Load(own + i);
            }

            var power = ScaledPower.Of(Vector512.Load(logits + i), scale, bias);
            (Vector512.FusedMultiplyAdd(power, share, -target) * factor * Vector512.Load(inverseNorms + i)).Store(logits + i);
        }
    }
}
