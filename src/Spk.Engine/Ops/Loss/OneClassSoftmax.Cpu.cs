using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class OneClassSoftmax
{
    private const int RowsPerItem = 4;

    private static void CpuForward(
        CpuDevice cpu, Tensor embeddings, Tensor weight, Tensor labels, Tensor? weights, in OneClassOptions options, in Saved saved, Tensor loss, Tensor statistics)
    {
        int rows = embeddings.Shape[0], classes = weight.Shape[0], width = weight.Shape[1], block = RowSoftmax.BlockOf(classes);
        RequireClasses(labels, classes);
        UnitRows.Forward(cpu, embeddings, saved.Unit.Data, saved.Norms.Data);
        UnitRows.Forward(cpu, weight, saved.UnitWeight.Data, saved.WeightNorms.Data);
        var results = new CosineProblem { Rows = rows };
        results.RentResults(cpu);
        var body = new RowBody
        {
            Results = results,
            Cosines = cpu.Workspace.Rent(new Shape(Math.Min(block, rows), classes)).Data,
            Labels = labels.IntData,
            Weights = weights is null ? null : weights.Data,
            Classes = classes,
            TargetCosine = options.TargetCosine,
            OtherCosine = options.OtherCosine,
            Scale = options.Scale,
            Hardest = options.Reduction == OneClassReduction.MeanAll ? 0 : options.Hardest,
        };
        var keys = MatrixView.Of(saved.UnitWeight.Data, classes, width, width);
        for (int start = 0; start < rows; start += block)
        {
            body.Start = start;
            body.Count = Math.Min(block, rows - start);
            var queries = MatrixView.Of(saved.Unit.Data + ((nint)start * width), body.Count, width, width);
            Gemm.Multiply(cpu, queries, keys.Transposed, body.Cosines, classes, accumulate: false);
            cpu.Workers.For((body.Count + RowsPerItem - 1) / RowsPerItem, ref body);
            var derivatives = MatrixView.Of(body.Cosines, body.Count, classes, classes);
            if (saved.UnitWeightGradient is { } weightGradient)
            {
                Gemm.Multiply(cpu, derivatives.Transposed, queries, weightGradient.Data, width, accumulate: start > 0);
            }

            if (saved.UnitGradient is { } unitGradient)
            {
                Gemm.Multiply(cpu, derivatives, keys, unitGradient.Data + ((nint)start * width), width, accumulate: false);
            }
        }

        results.Summarize(loss.Data, statistics.Data);
    }

    private static void CpuPass(
        CpuDevice cpu, Tensor target, bool accumulate, Tensor unit, Tensor norms, Tensor unitGradient, Tensor lossGradient) =>
        UnitRows.Backward(cpu, target, accumulate, unit.Data, unitGradient.Data, norms.Data, lossGradient.Data[0]);

    private static void RequireClasses(Tensor labels, int classes)
    {
        for (int i = 0; i < labels.Count; i++)
        {
            if (labels.IntData[i] < -1 || labels.IntData[i] >= classes)
            {
                throw new ShapeException($"Label {labels.IntData[i]} of row {i} is not one of the {classes} classes (0 to {classes - 1}) of the weight, nor -1 for none.");
            }
        }
    }

    /// <summary>A row's cosines to its loss and, in place, its derivatives.</summary>
    private struct RowBody : IParallelBody
    {
        public CosineProblem Results;
        public float TargetCosine, OtherCosine, Scale;
        public int Hardest; // 0 for the mean over all classes.
        public float* Cosines, Weights;
        public int* Labels;
        public int Start, Count, Classes;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Count, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                float* cosines = Cosines + ((nint)row * Classes);
                int own = Labels[Start + row];
                Survey(Start + row, own, cosines);
                double weight = Weights is null ? 1 : Weights[Start + row];
                Results.Losses[Start + row] = Hardest == 0 ? OverAll(cosines, own, weight) : OverHardest(cosines, own, weight);
            }
        }

        private readonly void Survey(int row, int own, float* cosines)
        {
            double sum = 0;
            float highest = float.NegativeInfinity;
            for (int k = 0; k < Classes; k++)
            {
                sum += k == own ? 0 : cosines[k];
                highest = k == own || cosines[k] <= highest ? highest : cosines[k];
            }

            Results.PositiveCosines[row] = own < 0 ? float.NaN : cosines[own];
            Results.CosineSums[row] = sum;
            Results.CosineCounts[row] = own < 0 ? Classes : Classes - 1;
            Results.HighestNegatives[row] = highest;
        }

        private readonly double OverAll(float* cosines, int own, double weight)
        {
            double sum = 0;
            weight /= Classes;
            for (int k = 0; k < Classes; k++)
            {
                sum += Term(cosines[k], k == own, weight, out cosines[k]);
            }

            return sum;
        }

        private readonly double OverHardest(float* cosines, int own, double weight)
        {
            int wanted = Math.Min(Hardest, Classes - (own < 0 ? 0 : 1)), found = 0;
            int* hardest = stackalloc int[MostHardest];
            float* values = stackalloc float[MostHardest];
            for (int k = 0; k < Classes; k++)
            {
                // Written so that a NaN is harder than anything; of equal cosines the first come first.
                if (k == own || (found == wanted && (wanted == 0 || cosines[k] <= values[found - 1])))
                {
                    continue;
                }

                int at = found < wanted ? found++ : found - 1;
                for (; at > 0 && !(cosines[k] <= values[at - 1]); at--)
                {
                    (hardest[at], values[at]) = (hardest[at - 1], values[at - 1]);
                }

                (hardest[at], values[at]) = (k, cosines[k]);
            }

            float cosine = own < 0 ? 0 : cosines[own];
            new Span<float>(cosines, Classes).Clear();
            double sum = own < 0 ? 0 : Term(cosine, true, weight, out cosines[own]);
            for (int i = 0; i < found; i++)
            {
                sum += Term(values[i], false, weight / found, out cosines[hardest[i]]);
            }

            return sum;
        }

        // weight · log(1 + e^u), and its derivative by the cosine in the mean over rows.
        private readonly double Term(float cosine, bool own, double weight, out float derivative)
        {
            double sign = own ? -1 : 1, scale = sign * Scale;
            double u = scale * ((double)cosine - (own ? TargetCosine : OtherCosine)), tail = Math.Exp(-Math.Abs(u));
            derivative = (float)(weight * scale / Results.Rows * (u >= 0 ? 1 / (1 + tail) : tail / (1 + tail)));
            return weight * (Math.Max(u, 0) + CosineProblem.LogOnePlus(tail));
        }
    }
}
