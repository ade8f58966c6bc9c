using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class MarginClassifier
{
    private const float NormFloor = 1e-12f;

    private static Saved CudaForward(
        CudaDevice cuda,
        Tensor embeddings,
        Tensor weight,
        Tensor labels,
        MarginRule margin,
        float scale,
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
            Scale = CosineProblem.ScaleOf(scale),
        };
        var factors = CudaCosineSoftmax.Run(cuda, problem, margin, loss, statistics, classes: weight.Shape[0]);
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
