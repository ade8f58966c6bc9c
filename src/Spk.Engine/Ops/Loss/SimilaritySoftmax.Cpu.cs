using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class SimilaritySoftmax
{
    private static Saved CpuForward(
        CpuDevice cpu,
        Tensor queries,
        Tensor keys,
        in SimilaritySoftmaxOptions options,
        MarginRule margin,
        bool wantsQueries,
        bool wantsKeys,
        Tensor loss,
        Tensor statistics)
    {
        int rows = queries.Shape[0], keyRows = keys.Shape[0], width = queries.Shape[1];
        bool symmetric = options.Symmetric;
        var workspace = cpu.Workspace;

        // Queries and keys lie one behind the other, so that in the symmetric case their union is one matrix.
        var unit = workspace.Rent(new Shape(rows + keyRows, width));
        var norms = workspace.Rent(new Shape(rows + keyRows));
        var gradient = wantsQueries || wantsKeys ? workspace.Rent(new Shape(rows + keyRows, width)) : null;
        UnitRows.Forward(cpu, queries, unit.Data, norms.Data);
        UnitRows.Forward(cpu, keys, unit.Row(rows), norms.Data + rows);

        var problem = new CosineProblem
        {
            Queries = unit.Data,
            Keys = symmetric ? unit.Data : unit.Row(rows),
            Rows = symmetric ? 2 * rows : rows,
            KeyRows = symmetric ? 2 * rows : keyRows,
            Width = width,
            ExcludeSelf = symmetric,
            KeysAreNegatives = options.KeysAreNegatives,
            ItemCount = options.ItemCount,
            Margin = margin,
            Scale = CosineProblem.ScaleOf(options.Scale is { } learned ? ScaleOf(learned) : 1.0 / options.Temperature),
            Factor = options.Factor,
        };
        if (options.AnchorWeights is { } weights)
        {
            problem.AnchorWeights = weights.Data;
            problem.WeightCount = weights.Count;
        }

        if (options.Memory is { } memory)
        {
            var unitMemory = workspace.Rent(memory.Shape);
            UnitRows.Forward(cpu, memory, unitMemory.Data, workspace.Rent(new Shape(memory.Shape[0])).Data);
            problem.Memory = unitMemory.Data;
            problem.MemoryRows = memory.Shape[0];
        }

        problem.Positives = Positives(workspace, rows, options);
        SetLabels(workspace, ref problem, rows, options);
        problem.RentResults(cpu);
        float* target = gradient is null ? null : gradient.Data;
        if (symmetric && PairSoftmax.CanRun(problem))
        {
            PairSoftmax.Run(cpu, problem, target);
        }
        else if (symmetric)
        {
            RowSoftmax.Run(cpu, problem, target, target);
        }
        else
        {
            RowSoftmax.Run(cpu, problem, wantsQueries ? target : null, wantsKeys ? target + ((nint)rows * width) : null);
        }

        problem.Summarize(loss.Data, statistics.Data);
        return new Saved { Unit = unit, Norms = norms, UnitGradient = gradient, QueryRows = rows, AnchorRows = problem.Rows };
    }

    // Never 0: its gradient is that at the floor, so that it can come back.
    private static float ScaleOf(Tensor learned) => learned.Data[0] < ScaleFloor ? ScaleFloor : learned.Data[0];

    // Σ over logits of their derivative times the cosine; the product of an anchor with its gradient sums that over its cosines, in the
    // symmetric case once for either role.
    private static void CpuScaleBackward(Tensor scale, bool symmetric, in Saved saved, Tensor lossGradient)
    {
        double sum = 0;
        for (int row = 0; row < saved.AnchorRows; row++)
        {
            sum += UnitRows.Dot(saved.Unit.Row(row), saved.UnitGradient!.Row(row), saved.Unit.Shape[1]);
        }

        var target = scale.GradForWrite(out bool accumulate);
        float value = (float)(lossGradient.Data[0] * sum / (ScaleOf(scale) * (symmetric ? 2 : 1)));
        target.Data[0] = accumulate ? target.Data[0] + value : value;
    }

    private static void CpuBackward(CpuDevice cpu, Tensor? queries, Tensor? keys, in Saved saved, Tensor lossGradient)
    {
        float factor = lossGradient.Data[0];
        if (queries is not null)
        {
            var target = queries.GradForWrite(out bool accumulate);
            UnitRows.Backward(cpu, target, accumulate, saved.Unit.Data, saved.UnitGradient!.Data, saved.Norms.Data, factor);
        }

        if (keys is not null)
        {
            var target = keys.GradForWrite(out bool accumulate);
            int first = saved.QueryRows;
            UnitRows.Backward(cpu, target, accumulate, saved.Unit.Row(first), saved.UnitGradient!.Row(first), saved.Norms.Data + first, factor);
        }
    }

    // Counted around the end; in the symmetric case the other half.
    private static int* Positives(Workspace workspace, int rows, in SimilaritySoftmaxOptions options)
    {
        int count = options.Symmetric ? 2 * rows : rows, offset = options.Symmetric ? rows : options.PositiveOffset;
        int* positives = workspace.Rent(new Shape(count), ElementType.Int32).IntData;
        for (int i = 0; i < count; i++)
        {
            positives[i] = i + offset < count ? i + offset : i + offset - count;
        }

        return positives;
    }

    private static void SetLabels(Workspace workspace, ref CosineProblem problem, int rows, in SimilaritySoftmaxOptions options)
    {
        if (options.QueryLabels is not { } queryLabels)
        {
            return;
        }

        int padded = CosineProblem.Padded(problem.Candidates);
        int* candidates = workspace.Rent(new Shape(padded), ElementType.Int32).IntData;
        new Span<int>(candidates, padded).Fill(-1);
        var keyLabels = options.KeyLabels ?? queryLabels;
        if (problem.ExcludeSelf)
        {
            // One list serves anchors and candidates: both views of an utterance have its label.
            Copy(queryLabels, candidates);
            Copy(keyLabels, candidates + rows);
            problem.QueryLabels = candidates;
        }
        else
        {
            Copy(keyLabels, candidates);
            problem.QueryLabels = queryLabels.IntData;
            if (options.MemoryLabels is { } memoryLabels)
            {
                Copy(memoryLabels, candidates + problem.KeyRows);
            }
        }

        problem.CandidateLabels = candidates;
    }

    private static void Copy(Tensor labels, int* to) =>
        NativeMemory.Copy(labels.IntData, to, (nuint)labels.Count * sizeof(int));
}
