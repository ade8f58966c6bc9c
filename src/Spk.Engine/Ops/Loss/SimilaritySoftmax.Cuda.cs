using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class SimilaritySoftmax
{
    private const float NormFloor = 1e-12f;

    private static readonly KernelId RowProductsKernel = new("loss/similarity_softmax", "similarity_softmax_row_products");
    private static readonly KernelId ScaleGradientKernel = new("loss/similarity_softmax", "similarity_softmax_scale_gradient");

    private static Saved CudaForward(
        CudaDevice cuda,
        Tensor queries,
        Tensor keys,
        in SimilaritySoftmaxOptions options,
        MarginRule margin,
        bool wantsQueries,
        bool wantsKeys,
        Tensor loss,
        Tensor statistics)
    {
        int rows = queries.Shape[0], keyRows = keys.Shape[0], memoryRows = options.Memory?.Shape[0] ?? 0, width = queries.Shape[1];
        bool symmetric = options.Symmetric;
        var workspace = cuda.Workspace;

        // Queries, keys and memory lie one behind the other: the candidates are one matrix, and in the symmetric case so are both views.
        var unit = workspace.Rent(new Shape(rows + keyRows + memoryRows, width));
        var norms = workspace.Rent(new Shape(rows + keyRows + memoryRows));
        var gradient = wantsQueries || wantsKeys ? workspace.Rent(new Shape(rows + keyRows, width)) : null;
        L2Normalize.CudaForward(cuda, queries, unit.Slice(0, rows), norms.Slice(0, rows), NormFloor);
        L2Normalize.CudaForward(cuda, keys, unit.Slice(rows, keyRows), norms.Slice(rows, keyRows), NormFloor);
        if (options.Memory is { } memory)
        {
            L2Normalize.CudaForward(cuda, memory, unit.Slice(rows + keyRows, memoryRows), norms.Slice(rows + keyRows, memoryRows), NormFloor);
        }

        nint keyAddress = unit.Address + ((nint)rows * width * sizeof(float));
        var problem = new CudaCosineProblem
        {
            Anchors = unit.Address,
            Candidates = symmetric ? unit.Address : keyAddress,
            Rows = symmetric ? 2 * rows : rows,
            KeyRows = symmetric ? 2 * rows : keyRows,
            CandidateRows = symmetric ? 2 * rows : keyRows + memoryRows,
            Width = width,
            Symmetric = symmetric ? 1 : 0,
            KeysAreNegatives = options.KeysAreNegatives ? 1 : 0,
            Scale = CosineProblem.ScaleOf(1.0 / options.Temperature),
            LearnedScale = options.Scale?.Address ?? 0,
            PositiveOffset = options.PositiveOffset,
            ItemCount = options.ItemCount,
        };
        SetLabels(cuda, ref problem, rows, options);
        var rounded = CudaCosineSoftmax.Round(cuda, problem);
        var factors = CudaCosineSoftmax.Run(cuda, problem, rounded, margin, loss, statistics, options.AnchorWeights, options.Factor);
        if (symmetric && gradient is not null)
        {
            CudaCosineSoftmax.Gradient(cuda, problem, rounded, CosineRole.Anchor | CosineRole.Candidate, factors, gradient.Address);
        }
        else
        {
            if (wantsQueries)
            {
                CudaCosineSoftmax.Gradient(cuda, problem, rounded, CosineRole.Anchor, factors, gradient!.Address);
            }

            if (wantsKeys)
            {
                CudaCosineSoftmax.Gradient(cuda, problem, rounded, CosineRole.Candidate, factors, gradient!.Address + ((nint)rows * width * sizeof(float)));
            }
        }

        return new Saved { Unit = unit, Norms = norms, UnitGradient = gradient, QueryRows = rows, AnchorRows = problem.Rows };
    }

    private static void CudaBackward(CudaDevice cuda, Tensor? queries, Tensor? keys, in Saved saved, Tensor lossGradient)
    {
        if (queries is not null)
        {
            Normalize(queries, saved, 0);
        }

        if (keys is not null)
        {
            Normalize(keys, saved, saved.QueryRows);
        }

        void Normalize(Tensor target, in Saved saved, int first)
        {
            int rows = target.Shape[0];
            var gradient = target.GradForWrite(out bool accumulate);
            L2Normalize.CudaBackward(
                cuda, saved.Unit.Slice(first, rows), saved.Norms.Slice(first, rows), saved.UnitGradient!.Slice(first, rows), gradient, NormFloor, accumulate,
                lossGradient);
        }
    }

    private static void CudaScaleBackward(CudaDevice cuda, Tensor scale, bool symmetric, in Saved saved, Tensor lossGradient)
    {
        var products = cuda.Workspace.Rent(new Shape(2 * saved.AnchorRows)); // f64
        const int rowsOfBlock = 4, threads = 256;
        cuda.Launch(
            RowProductsKernel, new LaunchShape((saved.AnchorRows + rowsOfBlock - 1) / rowsOfBlock, 32 * rowsOfBlock), saved.Unit.Address,
            saved.UnitGradient!.Address, saved.AnchorRows, saved.Unit.Shape[1], products.Address);
        var target = scale.GradForWrite(out bool accumulate);
        cuda.Launch(
            ScaleGradientKernel, new LaunchShape(1, threads), products.Address, saved.AnchorRows, scale.Address, symmetric ? 0.5f : 1f,
            lossGradient.Address, target.Address, accumulate ? 1 : 0);
    }

    private static void SetLabels(CudaDevice cuda, ref CudaCosineProblem problem, int rows, in SimilaritySoftmaxOptions options)
    {
        if (options.QueryLabels is not { } queryLabels)
        {
            return;
        }

        var keyLabels = options.KeyLabels ?? queryLabels;
        var candidates = cuda.Workspace.Rent(new Shape(problem.CandidateRows), ElementType.Int32);
        problem.CandidateLabels = candidates.Address;
        if (problem.Symmetric != 0)
        {
            // One list serves anchors and candidates: both views of an utterance have its label.
            problem.AnchorLabels = candidates.Address;
            CopyLabels(queryLabels, 0);
            CopyLabels(keyLabels, rows);
            return;
        }

        problem.AnchorLabels = queryLabels.Address;
        CopyLabels(keyLabels, 0);
        if (options.MemoryLabels is { } memoryLabels)
        {
            CopyLabels(memoryLabels, problem.KeyRows);
        }
        else
        {
            const byte unknown = 0xff; // Every byte of −1.
            cuda.Fill(candidates.Address + ((nint)problem.KeyRows * sizeof(int)), unknown, (long)(candidates.Count - problem.KeyRows) * sizeof(int));
        }

        void CopyLabels(Tensor labels, int at) => cuda.Copy(candidates.Address + ((nint)at * sizeof(int)), labels.Address, (long)labels.Count * sizeof(int));
    }
}
