using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Cross-entropy of a cosine classifier with a margin on the target class: normalised softmax, AM-Softmax (CosFace, Wang et al.
/// 2018) and AAM-Softmax (ArcFace, Deng et al. 2019).
/// </summary>
/// <remarks>
/// Logits are s·cos(x, w_k), the target's s·φ(cos(x, w_y)); embeddings and class weights are L2-normalised inside (floor 1e-12).
/// Works through blocks of embeddings, so that logits take at most 16 MiB (more only above 262,144 classes); the gradients are
/// made in the same pass. Results do not depend on the thread count.
/// </remarks>
public static partial class MarginClassifier
{
    /// <summary>Returns the mean loss and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="embeddings">f32 [N, D], N >= 1; need not be unit rows. May be a view.</param>
    /// <param name="weight">Class weights, f32 [K, D].</param>
    /// <param name="labels">Class of every embedding, i32 [N], 0 to K − 1.</param>
    /// <param name="kind">Margin on the target's cosine.</param>
    /// <param name="scale">s, above 0 (30 is usual).</param>
    /// <param name="margin">m: 0 to 2 (additive) or 0 to π/2 radians (angular).</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other, or a label is no class.</exception>
    /// <exception cref="InvalidOptionException">Scale or margin is out of range.</exception>
    public static Tensor Forward(Tape? tape, Tensor embeddings, Parameter weight, Tensor labels, MarginKind kind, float scale, float margin) =>
        Forward(tape, embeddings, weight, labels, kind, scale, margin, out _);

    /// <inheritdoc cref="Forward(Tape?, Tensor, Parameter, Tensor, MarginKind, float, float)"/>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="embeddings">f32 [N, D], N >= 1; need not be unit rows. May be a view.</param>
    /// <param name="weight">Class weights, f32 [K, D].</param>
    /// <param name="labels">Class of every embedding, i32 [N], 0 to K − 1.</param>
    /// <param name="kind">Margin on the target's cosine.</param>
    /// <param name="scale">s, above 0 (30 is usual).</param>
    /// <param name="margin">m: 0 to 2 (additive) or 0 to π/2 radians (angular).</param>
    /// <param name="statistics">Mean cosines and accuracy of this batch, without margin.</param>
    public static Tensor Forward(
        Tape? tape,
        Tensor embeddings,
        Parameter weight,
        Tensor labels,
        MarginKind kind,
        float scale,
        float margin,
        out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return Forward(tape, embeddings, weight.Value, labels, kind, scale, margin, out statistics);
    }

    internal static Tensor Forward(
        Tape? tape, Tensor embeddings, Tensor weight, Tensor labels, MarginKind kind, float scale, float margin, out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        ArgumentNullException.ThrowIfNull(labels);
        if (embeddings.Shape.Rank != 2 || weight.Shape.Rank != 2 || embeddings.Shape[0] < 1 || weight.Shape[0] < 1
            || embeddings.Shape[1] < 1 || embeddings.Shape[1] != weight.Shape[1])
        {
            throw new ShapeException($"A classifier needs embeddings [N, D] and weights [K, D]; given {embeddings.Shape} and {weight.Shape}.");
        }

        if (labels.ElementType != ElementType.Int32 || labels.Count != embeddings.Shape[0])
        {
            throw new ShapeException($"A classifier needs {embeddings.Shape[0]} labels of type Int32; given {labels.ElementType} {labels.Shape}.");
        }

        if (!(scale > 0) || !float.IsFinite(scale))
        {
            throw new InvalidOptionException($"scale = {scale.ToString(CultureInfo.InvariantCulture)} is out of range: it must be above 0 (30 is usual).");
        }

        var rule = MarginRule.Create(kind, margin);
        var workspace = embeddings.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var values = workspace.Rent(new Shape(SimilarityStatistics.Count));
        statistics = new SimilarityStatistics(values);

        bool wantsEmbeddings = tape is not null && embeddings.RequiresGrad;
        bool wantsWeight = tape is not null && weight.RequiresGrad;
        var saved = embeddings.Device is CudaDevice cuda
            ? CudaForward(cuda, embeddings, weight, labels, rule, scale, wantsEmbeddings, wantsWeight, loss, values)
            : CpuForward(Cpu.Of(embeddings.Device), embeddings, weight, labels, rule, scale, wantsEmbeddings, wantsWeight, loss, values);
        if (wantsEmbeddings || wantsWeight)
        {
            loss.RequiresGrad = true;
            var node = tape!.Record<Node>();
            (node.Embeddings, node.Weight, node.Loss, node.Saved) = (wantsEmbeddings ? embeddings : null, wantsWeight ? weight : null, loss, saved);
        }

        return loss;
    }

    // Unit rows, norms and the gradients by the unit rows, which the backward pass reads.
    private struct Saved
    {
        public Tensor Unit, Norms, UnitWeight, WeightNorms;
        public Tensor? UnitGradient, UnitWeightGradient;
    }

    private sealed class Node : TapeNode
    {
        public Tensor? Embeddings, Weight;
        public Tensor Loss = null!;
        public Saved Saved;

        public override void Backward()
        {
            if (Loss.Grad is { } gradient)
            {
                if (Loss.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, Embeddings, Weight, Saved, gradient);
                }
                else
                {
                    CpuBackward(Cpu.Of(Loss.Device), Embeddings, Weight, Saved, gradient);
                }
            }
        }
    }
}
