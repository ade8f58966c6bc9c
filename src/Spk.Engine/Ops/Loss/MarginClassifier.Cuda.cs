using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class MarginClassifier
{
    private const float NormFloor = 1e-12f;
    private const int CudaThreads = 256;

    private static readonly KernelId QualitiesKernel = new("loss/margin_classifier", "margin_classifier_qualities");
    private static readonly KernelId ComplementKernel = new("loss/margin_classifier", "margin_classifier_complement");

    private static Saved CudaForward(
        CudaDevice cuda,
        Tensor embeddings,
        Tensor weight,
        Tensor labels,
        in Terms terms,
        bool wantsEmbeddings,
        bool wantsWeight,
        Tensor loss,
        Tensor statistics)
    {
        var workspace = cuda.Workspace;
        var saved = new Saved
        {
            Unit = workspace.Rent(embeddings.Shape),
            Norms = workspace.Rent(new Shape(embeddings.Shape[0])),
            UnitWeight = workspace.Rent(weight.Shape),
            WeightNorms = workspace.Rent(new Shape(weight.Shape[0])),
            UnitGradient = wantsEmbeddings ? workspace.Rent(embeddings.Shape) : null,
            UnitWeightGradient = wantsWeight ? workspace.Rent(weight.Shape) : null,
        };
        L2Normalize.CudaForward(cuda, embeddings, saved.Unit, saved.Norms, NormFloor);
        L2Normalize.CudaForward(cuda, weight, saved.UnitWeight, saved.WeightNorms, NormFloor);

        // A class is a key, and the label says which one is an embedding's positive.
        var problem = new CudaCosineProblem
        {
            Anchors = saved.Unit.Address,
            Candidates = saved.UnitWeight.Address,
            Positives = labels.Address,
            Rows = embeddings.Shape[0],
            KeyRows = weight.Shape[0],
            CandidateRows = weight.Shape[0],
            Width = weight.Shape[1],
            KeysAreNegatives = 1,
            Scale = CosineProblem.ScaleOf(terms.Scale),
        };
        var factors = CudaCosineSoftmax.Run(
            cuda, problem, terms.Rule, loss, statistics, terms.Weights, classes: weight.Shape[0], qualities: terms.Qualities);
        if (saved.UnitGradient is { } unitGradient)
        {
            CudaCosineSoftmax.Gradient(cuda, problem, CosineRole.Anchor, factors, unitGradient.Address);
        }

        if (saved.UnitWeightGradient is { } weightGradient)
        {
            CudaCosineSoftmax.Gradient(cuda, problem, CosineRole.Candidate, factors, weightGradient.Address);
        }

        return saved;
    }

    private static void CudaQualities(CudaDevice cuda, Tensor embeddings, in AdaptiveMargin margin, bool update, Tensor qualities) =>
        cuda.Launch(
            QualitiesKernel, new LaunchShape(1, CudaThreads), embeddings.Address, embeddings.RowStride, embeddings.Shape[0], embeddings.Shape[1],
            margin.Concentration, margin.Rate, margin.State.Address, update ? 1 : 0, qualities.Address);

    private static void CudaComplement(CudaDevice cuda, Tensor weights, Tensor result) =>
        cuda.Launch(
            ComplementKernel, new LaunchShape((weights.Count + CudaThreads - 1) / CudaThreads, CudaThreads), weights.Address, weights.Count, result.Address);

    private static void CudaBackward(CudaDevice cuda, Tensor? embeddings, Tensor? weight, in Saved saved, Tensor lossGradient)
    {
        if (embeddings is not null)
        {
            var target = embeddings.GradForWrite(out bool accumulate);
            L2Normalize.CudaBackward(cuda, saved.Unit, saved.Norms, saved.UnitGradient!, target, NormFloor, accumulate, lossGradient);
        }

        if (weight is not null)
        {
            var target = weight.GradForWrite(out bool accumulate);
            L2Normalize.CudaBackward(cuda, saved.UnitWeight, saved.WeightNorms, saved.UnitWeightGradient!, target, NormFloor, accumulate, lossGradient);
        }
    }
}
