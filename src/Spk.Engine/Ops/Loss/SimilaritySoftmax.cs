using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Mean over anchors of −log softmax of the positive among cosines divided by a temperature: the loss under NT-Xent (Chen et
/// al. 2020), its margins, MoCo, InfoNCE, A-Proto and AvA.
/// </summary>
/// <remarks>
/// <para>
/// For anchor a with positive p: L_a = log(e^{φ(c_ap)/τ} + Σ_j e^{c_aj/τ}) − φ(c_ap)/τ, where j runs over its unmasked negatives
/// and c are cosines of the rows (the rows are L2-normalised inside, with floor 1e-12).
/// </para>
/// <para>
/// The gradient by the unit rows is made in the forward pass where a tape is given, while the cosines are at hand: besides
/// O((N + M)·D) the op takes at most 32 MiB for a block of rows, more only above 262,144 candidates. In the symmetric case the CPU keeps
/// half of the matrix of 2N anchors as far as 32 MiB go, or four times the anchors' own size if that is more, but no more than 4 GiB, and makes the rest of it
/// twice, in blocks of 4 MiB; memory stays O(N·D). Results do not depend on the thread count.
/// An anchor without negatives has loss 0.
/// </para>
/// </remarks>
public static partial class SimilaritySoftmax
{
    private const float ScaleFloor = 1e-6f;

    /// <summary>Returns the mean loss and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="queries">Anchors, f32 [N, D], N >= 1; need not be unit rows. May be a view.</param>
    /// <param name="keys">Candidates, f32 [M, D], M >= N (M = N with Symmetric); row i is the positive of query i.</param>
    /// <param name="options">Temperature, margin, masks.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The tensors or labels do not fit each other.</exception>
    /// <exception cref="InvalidOptionException">Temperature or margin is out of range, or options exclude each other.</exception>
    public static Tensor Forward(Tape? tape, Tensor queries, Tensor keys, in SimilaritySoftmaxOptions options) =>
        Forward(tape, queries, keys, options, out _);

    /// <inheritdoc cref="Forward(Tape?, Tensor, Tensor, in SimilaritySoftmaxOptions)"/>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="queries">Anchors, f32 [N, D], N >= 1; need not be unit rows. May be a view.</param>
    /// <param name="keys">Candidates, f32 [M, D], M >= N (M = N with Symmetric); row i is the positive of query i.</param>
    /// <param name="options">Temperature, margin, masks.</param>
    /// <param name="statistics">Mean cosines and hit rate of this batch.</param>
    public static Tensor Forward(Tape? tape, Tensor queries, Tensor keys, in SimilaritySoftmaxOptions options, out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(queries);
        ArgumentNullException.ThrowIfNull(keys);
        Validate(queries, keys, options);
        var margin = MarginRule.Create(options.Margin, options.MarginValue);
        var workspace = queries.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var values = workspace.Rent(new Shape(SimilarityStatistics.Count));
        statistics = new SimilarityStatistics(values);

        bool wantsQueries = tape is not null && queries.RequiresGrad;
        bool wantsKeys = tape is not null && keys.RequiresGrad;
        bool wantsScale = tape is not null && options.Scale is { RequiresGrad: true };
        var saved = queries.Device is CudaDevice cuda
            ? CudaForward(cuda, queries, keys, options, margin, wantsQueries || wantsScale, wantsKeys, loss, values)
            : CpuForward(Cpu.Of(queries.Device), queries, keys, options, margin, wantsQueries || wantsScale, wantsKeys, loss, values);
        if (wantsQueries || wantsKeys || wantsScale)
        {
            loss.RequiresGrad = true;
            var node = tape!.Record<Node>();
            (node.Queries, node.Keys, node.Loss, node.Saved) = (wantsQueries ? queries : null, wantsKeys ? keys : null, loss, saved);
            (node.Scale, node.Symmetric) = (wantsScale ? options.Scale : null, options.Symmetric);
        }

        return loss;
    }

    private static void Validate(Tensor queries, Tensor keys, in SimilaritySoftmaxOptions options)
    {
        if (queries.Shape.Rank != 2 || keys.Shape.Rank != 2 || queries.Shape[1] != keys.Shape[1] || queries.Shape[0] < 1 || queries.Shape[1] < 1
            || keys.Shape[0] < queries.Shape[0] || (options.Symmetric && keys.Shape[0] != queries.Shape[0]))
        {
            string wanted = options.Symmetric ? "[N, D] and [N, D]" : "[N, D] and [M, D] with M >= N";
            throw new ShapeException($"The loss needs queries and keys of shapes {wanted}, N and D above 0; given {queries.Shape} and {keys.Shape}.");
        }

        if (!(options.Temperature > 0) || !float.IsFinite(1 / options.Temperature))
        {
            throw new InvalidOptionException(
                $"temperature = {options.Temperature.ToString(CultureInfo.InvariantCulture)} is out of range: it must be above 0 (0.03 to 0.2 is usual).");
        }

        if (!float.IsFinite(options.Factor) || (options.Scale is not null && options.Margin != MarginKind.None))
        {
            throw new InvalidOptionException("The loss needs a finite Factor, and either a learned Scale or a margin, not both.");
        }

        if (options.PositiveOffset < 0
            || (options.PositiveOffset > 0 && (options.Symmetric || keys.Shape[0] != queries.Shape[0] || options.PositiveOffset >= queries.Shape[0])))
        {
            throw new InvalidOptionException(
                $"PositiveOffset = {options.PositiveOffset.ToString(CultureInfo.InvariantCulture)} is out of range: above 0 it needs one direction, as many keys as queries, and more of them.");
        }

        if (options.ItemCount < 0 || (options.ItemCount > 0 && options.Symmetric))
        {
            throw new InvalidOptionException(
                $"ItemCount = {options.ItemCount.ToString(CultureInfo.InvariantCulture)} is out of range: it is 0 with Symmetric, else 0 or more.");
        }

        int anchors = queries.Shape[0] * (options.Symmetric ? 2 : 1);
        if (options.Scale is { Count: not 1 } || options.AnchorWeights is { Count: 0 } || (options.AnchorWeights is { } weights && anchors % weights.Count != 0))
        {
            throw new ShapeException(
                $"The loss needs a Scale of one element and AnchorWeights whose number divides the {anchors} anchors; given {options.Scale?.Shape} and {options.AnchorWeights?.Shape}.");
        }

        if (options.Symmetric && (options.Memory is not null || !options.KeysAreNegatives))
        {
            throw new InvalidOptionException("Symmetric excludes Memory and needs KeysAreNegatives: use one direction at a time with a queue.");
        }

        if (options.Memory is { } memory && (memory.Shape.Rank != 2 || memory.Shape[1] != keys.Shape[1]))
        {
            throw new ShapeException($"The memory needs shape [Q, {keys.Shape[1]}]; given {memory.Shape}.");
        }

        RequireLabels(options.QueryLabels, queries.Shape[0], "QueryLabels");
        RequireLabels(options.KeyLabels, keys.Shape[0], "KeyLabels");
        RequireLabels(options.MemoryLabels, options.Memory?.Shape[0] ?? 0, "MemoryLabels");
        if (options.QueryLabels is not null && options.KeyLabels is null && keys.Shape[0] != queries.Shape[0])
        {
            throw new ShapeException($"KeyLabels is needed where keys have {keys.Shape[0]} rows and queries {queries.Shape[0]}.");
        }
    }

    private static void RequireLabels(Tensor? labels, int count, string name)
    {
        if (labels is not null && (labels.ElementType != ElementType.Int32 || labels.Count != count))
        {
            throw new ShapeException($"{name} needs {count} labels of type Int32; given {labels.ElementType} {labels.Shape}.");
        }
    }

    // What the backward pass reads, queries first and keys behind them: norms, unit rows, gradient by the unit rows.
    private struct Saved
    {
        public Tensor Norms, Unit;
        public Tensor? UnitGradient;
        public int QueryRows, AnchorRows;
    }

    private sealed class Node : TapeNode
    {
        public Tensor? Queries, Keys, Scale;
        public Tensor Loss = null!;
        public Saved Saved;
        public bool Symmetric;

        public override void Backward()
        {
            if (Loss.Grad is { } gradient)
            {
                if (Loss.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, Queries, Keys, Saved, gradient);
                    if (Scale is not null)
                    {
                        CudaScaleBackward(cuda, Scale, Symmetric, Saved, gradient);
                    }
                }
                else
                {
                    CpuBackward(Cpu.Of(Loss.Device), Queries, Keys, Saved, gradient);
                    if (Scale is not null)
                    {
                        CpuScaleBackward(Scale, Symmetric, Saved, gradient);
                    }
                }
            }
        }
    }
}
