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
            Margin = margin,
            Scale = CosineProblem.ScaleOf(1.0 / options.Temperature),
        };
        if (options.Memory is { } memory)
        {
            var unitMemory = workspace.Rent(memory.Shape);
            UnitRows.Forward(cpu, memory, unitMemory.Data, workspace.Rent(new Shape(memory.Shape[0])).Data);
            problem.Memory = unitMemory.Data;
            problem.MemoryRows = memory.Shape[0];
        }

        problem.Positives = Positives(workspace, rows, symmetric);
        SetLabels(workspace, ref problem, rows, options);
        problem.RentResults(cpu);
        float* target = gradient is null ? null : gradient.Data;
        if (symmetric && PairSoftmax.CanRun(problem, gradient is not null))
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
        return new Saved { Unit = unit, Norms = norms, UnitGradient = gradient, QueryRows = rows };
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

    private static int* Positives(Workspace workspace, int rows, bool symmetric)
    {
        int count = symmetric ? 2 * rows : rows;
        int* positives = workspace.Rent(new Shape(count), ElementType.Int32).IntData;
        for (int i = 0; i < count; i++)
        {
            positives[i] = !symmetric ? i : i < rows ? i + rows : i - rows;
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
