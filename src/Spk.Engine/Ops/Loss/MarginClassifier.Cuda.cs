using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class MarginClassifier
{
    private const float NormFloor = 1e-12f;
    private const int CudaThreads = 256;

    private static readonly KernelId RowsKernel = new("loss/margin_classifier", "margin_classifier_rows");
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

        if (terms.SubCentres > 1 || terms.Hardest > 0)
        {
            CudaRows(cuda, labels, terms, saved, loss, statistics);
            return saved;
        }

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
            cuda, problem, default, terms.Rule, loss, statistics, terms.Weights, classes: weight.Shape[0], qualities: terms.Qualities);
        if (saved.UnitGradient is { } unitGradient)
        {
            CudaCosineSoftmax.Gradient(cuda, problem, default, CosineRole.Anchor, factors, unitGradient.Address);
        }

        if (saved.UnitWeightGradient is { } weightGradient)
        {
            CudaCosineSoftmax.Gradient(cuda, problem, default, CosineRole.Candidate, factors, weightGradient.Address);
        }

        return saved;
    }

    // The nearest sub-centre and the hardest classes are known once all cosines of a row are: they pass through memory, a block of rows at a time.
    private static void CudaRows(CudaDevice cuda, Tensor labels, in Terms terms, in Saved saved, Tensor loss, Tensor statistics)
    {
        int rows = saved.Unit.Shape[0], candidates = saved.UnitWeight.Shape[0], block = RowSoftmax.BlockOf(candidates);
        var tile = cuda.Workspace.Rent(new Shape(Math.Min(block, rows), candidates));
        var results = cuda.Workspace.Rent(new Shape(2 * 4, rows)); // f64
        var hits = cuda.Workspace.Rent(new Shape(rows), ElementType.Int32);
        var (rule, hard) = (terms.Rule, terms.Hard);
        for (int start = 0; start < rows; start += block)
        {
            int count = Math.Min(block, rows - start);
            CudaCosineRows.Cosines(cuda, saved.Unit, saved.UnitWeight, start, count, tile);
            cuda.Launch(
                RowsKernel, new LaunchShape(count, CudaThreads), tile.Address, candidates / terms.SubCentres, terms.SubCentres, labels.Address,
                terms.Weights?.Address ?? 0, terms.Qualities?.Address ?? 0, start, rows, KernelArgument.Structure(&rule), terms.Hardest, KernelArgument.Structure(&hard),
                CosineProblem.ScaleOf(terms.Scale), results.Address, hits.Address);
            CudaCosineRows.Gradients(cuda, tile, start, count, saved.Unit, saved.UnitWeight, saved.UnitGradient, saved.UnitWeightGradient);
        }

        CudaCosineSoftmax.Summarize(cuda, rows, results, hits, loss, statistics);
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
