using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Cross-entropy of a cosine classifier with a margin on the target class: normalised softmax, AM-Softmax (CosFace, Wang et al.
/// 2018), AAM-Softmax (ArcFace, Deng et al. 2019) and AdaFace (Kim et al. 2022), each with sub-centres of classes (Deng et al. 2020) and
/// a margin on the hardest other classes (Zhao et al. 2022) where asked for.
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

    /// <inheritdoc cref="Forward(Tape?, Tensor, Parameter, Tensor, MarginKind, float, float)"/>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="embeddings">f32 [N, D], N >= 1; need not be unit rows. May be a view.</param>
    /// <param name="weight">Class weights, f32 [K·S, D]: S sub-centres of the first class, then of the next.</param>
    /// <param name="labels">Class of every embedding, i32 [N], 0 to K − 1.</param>
    /// <param name="options">Margin, scale, mixed labels.</param>
    /// <param name="statistics">Mean cosines and accuracy of this batch, without margin and by the own labels.</param>
    public static Tensor Forward(
        Tape? tape, Tensor embeddings, Parameter weight, Tensor labels, in MarginClassifierOptions options, out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return Forward(tape, embeddings, weight.Value, labels, options, out statistics);
    }

    internal static Tensor Forward(
        Tape? tape, Tensor embeddings, Tensor weight, Tensor labels, MarginKind kind, float scale, float margin, out SimilarityStatistics statistics) =>
        Forward(tape, embeddings, weight, labels, new MarginClassifierOptions { Kind = kind, Scale = scale, Margin = margin }, out statistics);

    internal static Tensor Forward(
        Tape? tape, Tensor embeddings, Tensor weight, Tensor labels, in MarginClassifierOptions options, out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        ArgumentNullException.ThrowIfNull(labels);
        if (embeddings.Shape.Rank != 2 || weight.Shape.Rank != 2 || embeddings.Shape[0] < 1 || weight.Shape[0] < 1
            || embeddings.Shape[1] < 1 || embeddings.Shape[1] != weight.Shape[1])
        {
            throw new ShapeException($"A classifier needs embeddings [N, D] and weights [K, D]; given {embeddings.Shape} and {weight.Shape}.");
        }

        RequireLabels(labels, embeddings.Shape[0]);
        if (!(options.Scale > 0) || !float.IsFinite(options.Scale))
        {
            throw new InvalidOptionException(
                $"scale = {options.Scale.ToString(CultureInfo.InvariantCulture)} is out of range: it must be above 0 (30 is usual).");
        }

        var terms = new Terms
        {
            Rule = options.Adaptive is null ? MarginRule.Create(options.Kind, options.Margin) : MarginRule.Adaptive(options.Margin),
            Scale = options.Scale,
        };
        CheckClasses(weight, options, ref terms);
        terms.Qualities = Qualities(embeddings, options, tape is not null);
        if (options.Mix is not { } mix)
        {
            return Term(tape, embeddings, weight, labels, terms, out statistics);
        }

        RequireLabels(mix.Labels, embeddings.Shape[0]);
        if (mix.Weights.Count != embeddings.Shape[0])
        {
            throw new ShapeException($"A classifier of {embeddings.Shape[0]} mixed rows needs as many weights, not {mix.Weights.Shape}.");
        }

        terms.Weights = mix.Weights;
        var own = Term(tape, embeddings, weight, labels, terms, out statistics);
        terms.Weights = Complement(mix.Weights);
        return WeightedSum.Forward(tape, [own, Term(tape, embeddings, weight, mix.Labels, terms, out _)], [1f, 1f]);
    }

    private static void CheckClasses(Tensor weight, in MarginClassifierOptions options, ref Terms terms)
    {
        if (options.SubCentres is < 1 or > CosineProblem.MostHardest || options.HardNegatives is < 0 or > CosineProblem.MostHardest)
        {
            throw new InvalidOptionException(
                $"A classifier with {options.SubCentres} sub-centres and {options.HardNegatives} hard negatives is out of range: allowed are 1 to {CosineProblem.MostHardest} and 0 to {CosineProblem.MostHardest}.");
        }

        if (weight.Shape[0] % options.SubCentres != 0)
        {
            throw new ShapeException($"{options.SubCentres} sub-centres need as many weights for every class; given {weight.Shape}.");
        }

        terms.SubCentres = options.SubCentres;
        terms.Hardest = options.HardNegatives;
        terms.Hard = HardNegativeRule.Create(options.HardMargin);
    }

    private static void RequireLabels(Tensor labels, int rows)
    {
        if (labels.ElementType != ElementType.Int32 || labels.Count != rows)
        {
            throw new ShapeException($"A classifier needs {rows} labels of type Int32; given {labels.ElementType} {labels.Shape}.");
        }
    }

    private static Tensor? Qualities(Tensor embeddings, in MarginClassifierOptions options, bool update)
    {
        if (options.Adaptive is not { } adaptive)
        {
            return null;
        }

        if (options.Kind != MarginKind.None || !(adaptive.Concentration > 0) || !(adaptive.Rate > 0 && adaptive.Rate <= 1))
        {
            throw new InvalidOptionException(string.Create(
                CultureInfo.InvariantCulture,
                $"An adaptive margin with concentration {adaptive.Concentration}, rate {adaptive.Rate} and Kind {options.Kind} is out of range: concentration above 0, rate above 0 to 1, Kind None."));
        }

        if (adaptive.State is not { Count: AdaptiveMargin.StateSize, ElementType: ElementType.Float32 })
        {
            throw new ShapeException($"An adaptive margin needs a state of {AdaptiveMargin.StateSize} elements, not {adaptive.State?.Shape}.");
        }

        var qualities = embeddings.Device.Workspace.Rent(new Shape(embeddings.Shape[0]));
        if (embeddings.Device is CudaDevice cuda)
        {
            CudaQualities(cuda, embeddings, adaptive, update, qualities);
        }
        else
        {
            CpuQualities(embeddings, adaptive, update, qualities);
        }

        return qualities;
    }

    /// <summary>1 − λ of every row.</summary>
    internal static Tensor Complement(Tensor weights)
    {
        var result = weights.Device.Workspace.Rent(new Shape(weights.Count));
        if (weights.Device is CudaDevice cuda)
        {
            CudaComplement(cuda, weights, result);
        }
        else
        {
            CpuComplement(weights, result);
        }

        return result;
    }

    private static Tensor Term(Tape? tape, Tensor embeddings, Tensor weight, Tensor labels, in Terms terms, out SimilarityStatistics statistics)
    {
        var workspace = embeddings.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var values = workspace.Rent(new Shape(SimilarityStatistics.Count));
        statistics = new SimilarityStatistics(values);

        bool wantsEmbeddings = tape is not null && embeddings.RequiresGrad;
        bool wantsWeight = tape is not null && weight.RequiresGrad;
        var saved = embeddings.Device is CudaDevice cuda
            ? CudaForward(cuda, embeddings, weight, labels, terms, wantsEmbeddings, wantsWeight, loss, values)
            : CpuForward(Cpu.Of(embeddings.Device), embeddings, weight, labels, terms, wantsEmbeddings, wantsWeight, loss, values);
        if (wantsEmbeddings || wantsWeight)
        {
            loss.RequiresGrad = true;
            var node = tape!.Record<Node>();
            (node.Embeddings, node.Weight, node.Loss, node.Saved) = (wantsEmbeddings ? embeddings : null, wantsWeight ? weight : null, loss, saved);
        }

        return loss;
    }

    // What a cross-entropy needs besides rows and labels; qualities are those of an adaptive margin, weights those of mixed rows.
    private struct Terms
    {
        public MarginRule Rule;
        public HardNegativeRule Hard;
        public float Scale;
        public int SubCentres, Hardest;
        public Tensor? Qualities, Weights;
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
