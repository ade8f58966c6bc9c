using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>Mean over rows of −log softmax of the row's class among free logits.</summary>
/// <remarks>
/// For logits that a product has made already: a plain classifier (<c>Linear</c>), a bilinear similarity
/// (<see cref="BilinearContrast"/>). Where logits are scaled cosines, <see cref="MarginClassifier"/> and
/// <see cref="SimilaritySoftmax"/> need no memory for them.
/// </remarks>
public static partial class CrossEntropy
{
    /// <summary>Returns the mean loss and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="logits">f32 [N, K], N and K above 0; rows may be strided (channel views).</param>
    /// <param name="labels">Class of every row, i32 [N], 0 to K − 1; null where row i is of class i, with N no larger than K.</param>
    /// <param name="mix">Second classes of mixed rows; null for none.</param>
    /// <returns>One element, f32 [1], in the workspace. On a GPU it is NaN where a label is no class.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other, or a label is no class.</exception>
    public static Tensor Forward(Tape? tape, Tensor logits, Tensor? labels, LabelMix? mix = null) => Forward(tape, logits, labels, mix, out _);

    /// <inheritdoc cref="Forward(Tape?, Tensor, Tensor?, LabelMix?)"/>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="logits">f32 [N, K], N and K above 0; rows may be strided (channel views).</param>
    /// <param name="labels">Class of every row, i32 [N], 0 to K − 1; null where row i is of class i, with N no larger than K.</param>
    /// <param name="mix">Second classes of mixed rows; null for none.</param>
    /// <param name="accuracy">Share of rows whose own class has the highest logit, f32 [1], 0 to 1.</param>
    public static Tensor Forward(Tape? tape, Tensor logits, Tensor? labels, LabelMix? mix, out Tensor accuracy)
    {
        ArgumentNullException.ThrowIfNull(logits);
        Check(logits, labels, mix);
        var workspace = logits.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        accuracy = workspace.Rent(new Shape(1));
        var targets = new Targets { Labels = labels, Second = mix?.Labels, Weights = mix?.Weights };
        var saved = workspace.Rent(new Shape(logits.Shape[0], 2));
        if (logits.Device is CudaDevice cuda)
        {
            CudaForward(cuda, logits, targets, saved, loss, accuracy);
        }
        else
        {
            CpuForward(Cpu.Of(logits.Device), logits, targets, saved, loss, accuracy);
        }

        if (tape is not null && logits.RequiresGrad)
        {
            loss.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Logits, node.Targets, node.Saved, node.Loss) = (logits, targets, saved, loss);
        }

        return loss;
    }

    private static void Check(Tensor logits, Tensor? labels, LabelMix? mix)
    {
        if (logits.Shape.Rank != 2 || logits.Shape[0] < 1 || logits.Shape[1] < 1)
        {
            throw new ShapeException($"A cross-entropy needs logits [N, K] with an element or more, not shape {logits.Shape}.");
        }

        int rows = logits.Shape[0];
        if (labels is null && rows > logits.Shape[1])
        {
            throw new ShapeException($"Without labels row i is of class i, and logits {logits.Shape} have more rows than classes.");
        }

        RequireLabels(labels, rows, "labels");
        RequireLabels(mix?.Labels, rows, "second labels");
        if (mix is { } mixed && mixed.Weights.Count != rows)
        {
            throw new ShapeException($"A cross-entropy of {rows} mixed rows needs as many weights, not {mixed.Weights.Shape}.");
        }
    }

    private static void RequireLabels(Tensor? labels, int rows, string name)
    {
        if (labels is not null && (labels.ElementType != ElementType.Int32 || labels.Count != rows))
        {
            throw new ShapeException($"A cross-entropy needs {rows} {name} of type Int32; given {labels.ElementType} {labels.Shape}.");
        }
    }

    private struct Targets
    {
        public Tensor? Labels, Second, Weights;
    }

    // dL/dlogit = (softmax − λ [own] − (1 − λ) [second]) / N; of every row the highest logit and 1 / Σ exp are kept.
    private sealed class Node : TapeNode
    {
        public Tensor Logits = null!, Saved = null!, Loss = null!;
        public Targets Targets;

        public override void Backward()
        {
            if (Loss.Grad is not { } gradient)
            {
                return;
            }

            var target = Logits.GradForWrite(out bool accumulate);
            if (Loss.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, Logits, Targets, Saved, gradient, target, accumulate);
            }
            else
            {
                CpuBackward(Cpu.Of(Loss.Device), Logits, Targets, Saved, gradient, target, accumulate);
            }
        }
    }
}
