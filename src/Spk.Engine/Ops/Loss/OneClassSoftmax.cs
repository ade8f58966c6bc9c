using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// OC-Softmax (Zhang, Jiang and Duan, "One-class learning towards synthetic voice spoofing detection", arXiv:2010.13995), one class against
/// the rest for every class: there is no softmax over classes, so that a wrong label costs no more than its own terms.
/// </summary>
/// <remarks>
/// With c_k the cosine of embedding and class k: log(1 + e^{α(m0 − c_y)}) for the own class y and log(1 + e^{α(c_k − m1)}) for others, joined
/// as <see cref="OneClassOptions.Reduction"/> says, mean over rows. Rows are L2-normalised inside (floor 1e-12). Works through blocks of
/// embeddings, so that cosines take at most 16 MiB (more only above 262,144 classes); the gradients are made in the same pass.
/// </remarks>
public static partial class OneClassSoftmax
{
    private const int MostHardest = 256;

    /// <summary>Returns the mean loss and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="embeddings">f32 [N, D], N >= 1; need not be unit rows. May be a view.</param>
    /// <param name="weight">Class weights, f32 [K, D].</param>
    /// <param name="labels">Class of every embedding, i32 [N], 0 to K − 1, or −1 for none of them.</param>
    /// <param name="options">Cosines, scale, reduction.</param>
    /// <returns>One element, f32 [1], in the workspace. On a GPU it is NaN where a label is no class.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other, or a label is no class.</exception>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    public static Tensor Forward(Tape? tape, Tensor embeddings, Parameter weight, Tensor labels, in OneClassOptions options) =>
        Forward(tape, embeddings, weight, labels, options, out _);

    /// <inheritdoc cref="Forward(Tape?, Tensor, Parameter, Tensor, in OneClassOptions)"/>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="embeddings">f32 [N, D], N >= 1; need not be unit rows. May be a view.</param>
    /// <param name="weight">Class weights, f32 [K, D].</param>
    /// <param name="labels">Class of every embedding, i32 [N], 0 to K − 1, or −1 for none of them.</param>
    /// <param name="options">Cosines, scale, reduction.</param>
    /// <param name="statistics">Mean cosines and accuracy of this batch; the mean cosine with the own class is NaN where a row has none.</param>
    public static Tensor Forward(
        Tape? tape, Tensor embeddings, Parameter weight, Tensor labels, in OneClassOptions options, out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return Forward(tape, embeddings, weight.Value, labels, options, out statistics);
    }

    internal static Tensor Forward(
        Tape? tape, Tensor embeddings, Tensor weight, Tensor labels, in OneClassOptions options, out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        ArgumentNullException.ThrowIfNull(labels);
        Check(embeddings, weight, labels, options);
        if (options.Mix is not { } mix)
        {
            return Term(tape, embeddings, weight, labels, null, options, out statistics);
        }

        Check(embeddings, weight, mix.Labels, options);
        if (mix.Weights.Count != embeddings.Shape[0])
        {
            throw new ShapeException($"A classifier of {embeddings.Shape[0]} mixed rows needs as many weights, not {mix.Weights.Shape}.");
        }

        var own = Term(tape, embeddings, weight, labels, mix.Weights, options, out statistics);
        var second = Term(tape, embeddings, weight, mix.Labels, MarginClassifier.Complement(mix.Weights), options, out _);
        return WeightedSum.Forward(tape, [own, second], [1f, 1f]);
    }

    // The loss by one set of labels, row by row times its weight.
    private static Tensor Term(
        Tape? tape, Tensor embeddings, Tensor weight, Tensor labels, Tensor? weights, in OneClassOptions options, out SimilarityStatistics statistics)
    {
        var workspace = embeddings.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var values = workspace.Rent(new Shape(SimilarityStatistics.Count));
        statistics = new SimilarityStatistics(values);
        bool wantsEmbeddings = tape is not null && embeddings.RequiresGrad, wantsWeight = tape is not null && weight.RequiresGrad;
        var saved = new Saved
        {
            Unit = workspace.Rent(embeddings.Shape),
            Norms = workspace.Rent(new Shape(embeddings.Shape[0])),
            UnitWeight = workspace.Rent(weight.Shape),
            WeightNorms = workspace.Rent(new Shape(weight.Shape[0])),
            UnitGradient = wantsEmbeddings ? workspace.Rent(embeddings.Shape) : null,
            UnitWeightGradient = wantsWeight ? workspace.Rent(weight.Shape) : null,
        };
        if (embeddings.Device is CudaDevice cuda)
        {
            CudaForward(cuda, embeddings, weight, labels, weights, options, saved, loss, values);
        }
        else
        {
            CpuForward(Cpu.Of(embeddings.Device), embeddings, weight, labels, weights, options, saved, loss, values);
        }

        if (wantsEmbeddings || wantsWeight)
        {
            loss.RequiresGrad = true;
            var node = tape!.Record<Node>();
            (node.Embeddings, node.Weight, node.Loss, node.Saved) = (wantsEmbeddings ? embeddings : null, wantsWeight ? weight : null, loss, saved);
        }

        return loss;
    }

    private static void Check(Tensor embeddings, Tensor weight, Tensor labels, in OneClassOptions options)
    {
        if (embeddings.Shape.Rank != 2 || weight.Shape.Rank != 2 || embeddings.Shape.Count < 1 || weight.Shape.Count < 1
            || embeddings.Shape[1] != weight.Shape[1])
        {
            throw new ShapeException($"A classifier needs embeddings [N, D] and weights [K, D]; given {embeddings.Shape} and {weight.Shape}.");
        }

        if (labels.ElementType != ElementType.Int32 || labels.Count != embeddings.Shape[0])
        {
            throw new ShapeException($"A classifier needs {embeddings.Shape[0]} labels of type Int32; given {labels.ElementType} {labels.Shape}.");
        }

        if (!(options.Scale > 0) || !float.IsFinite(options.Scale) || !(Math.Abs(options.TargetCosine) <= 1) || !(Math.Abs(options.OtherCosine) <= 1)
            || options.Hardest is < 1 or > MostHardest || options.Reduction is not (OneClassReduction.TargetPlusHardest or OneClassReduction.MeanAll))
        {
            throw new InvalidOptionException(string.Create(
                CultureInfo.InvariantCulture,
                $"OC-Softmax with scale {options.Scale}, cosines {options.TargetCosine} and {options.OtherCosine} and {options.Hardest} hardest ({options.Reduction}) is out of range: the scale must be above 0, cosines from -1 to 1, hardest from 1 to {MostHardest}."));
        }
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
            if (Loss.Grad is not { } gradient)
            {
                return;
            }

            if (Embeddings is not null)
            {
                Pass(Embeddings, Saved.Unit, Saved.Norms, Saved.UnitGradient!, gradient);
            }

            if (Weight is not null)
            {
                Pass(Weight, Saved.UnitWeight, Saved.WeightNorms, Saved.UnitWeightGradient!, gradient);
            }
        }

        private static void Pass(Tensor to, Tensor unit, Tensor norms, Tensor unitGradient, Tensor lossGradient)
        {
            var target = to.GradForWrite(out bool accumulate);
            if (to.Device is CudaDevice cuda)
            {
                CudaPass(cuda, target, accumulate, unit, norms, unitGradient, lossGradient);
            }
            else
            {
                CpuPass(Cpu.Of(to.Device), target, accumulate, unit, norms, unitGradient, lossGradient);
            }
        }
    }
}
