using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class CrossEntropy
{
    private static void CpuForward(CpuDevice cpu, Tensor logits, in Targets targets, Tensor saved, Tensor loss, Tensor accuracy)
    {
        RequireClasses(targets.Labels, logits.Shape[1]);
        RequireClasses(targets.Second, logits.Shape[1]);
        int rows = logits.Shape[0];
        var losses = CosineProblem.RentDoubles(cpu, rows);
        var hits = cpu.Workspace.Rent(new Shape(rows), ElementType.Int32);
        var body = new ForwardBody { Rows = new RowTargets(logits, targets, saved), Losses = losses, Hits = hits.IntData };
        cpu.Workers.For(rows, ref body);
        double sum = 0;
        int hit = 0;
        for (int row = 0; row < rows; row++)
        {
            sum += losses[row];
            hit += hits.IntData[row];
        }

        loss.Data[0] = (float)(sum / rows);
        accuracy.Data[0] = (float)hit / rows;
    }

    private static void CpuBackward(
        CpuDevice cpu, Tensor logits, in Targets targets, Tensor saved, Tensor lossGradient, Tensor gradient, bool accumulate)
    {
        var body = new BackwardBody
        {
            Rows = new RowTargets(logits, targets, saved),
            Gradient = gradient.Data,
            Stride = gradient.RowStride,
            Factor = lossGradient.Data[0] / logits.Shape[0],
            Accumulate = accumulate,
        };
        cpu.Workers.For(logits.Shape[0], ref body);
    }

    private static void RequireClasses(Tensor? labels, int classes)
    {
        for (int i = 0; i < (labels?.Count ?? 0); i++)
        {
            if ((uint)labels!.IntData[i] >= (uint)classes)
            {
                throw new ShapeException($"Label {labels.IntData[i]} of row {i} is not one of the {classes} classes (0 to {classes - 1}) of the logits.");
            }
        }
    }

    private readonly struct RowTargets(Tensor logits, Targets targets, Tensor saved)
    {
        public readonly int Classes = logits.Shape[1];
        private readonly float* _logits = logits.Data, _saved = saved.Data;
        private readonly float* _weights = targets.Weights == null ? null : targets.Weights.Data;
        private readonly int* _labels = targets.Labels == null ? null : targets.Labels.IntData;
        private readonly int* _second = targets.Second == null ? null : targets.Second.IntData;
        private readonly int _stride = logits.RowStride;

        public float* Logits(int row) => _logits + ((nint)row * _stride);

        /// <summary>The highest logit, then 1 / Σ exp(logit − highest).</summary>
        public float* Saved(int row) => _saved + (2 * (nint)row);

        public int Own(int row) => _labels == null ? row : _labels[row];

        public int Second(int row) => _second == null ? Own(row) : _second[row];

        public float Weight(int row) => _weights == null ? 1 : _weights[row];
    }

    private struct ForwardBody : IParallelBody
    {
        public RowTargets Rows;
        public double* Losses;
        public int* Hits;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            float* logits = Rows.Logits(index);
            float highest = TensorPrimitives.Max(new ReadOnlySpan<float>(logits, Rows.Classes));
            var shift = Vector512.Create(highest);
            var sums = Vector512<double>.Zero;
            int i = 0;
            for (; i <= Rows.Classes - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var power = Vector512.Exp(Vector512.Load(logits + i) - shift);
                sums += Vector512.WidenLower(power) + Vector512.WidenUpper(power);
            }

            double sum = Vector512.Sum(sums);
            for (; i < Rows.Classes; i++)
            {
                sum += MathF.Exp(logits[i] - highest);
            }

            float own = logits[Rows.Own(index)], second = logits[Rows.Second(index)];
            double weight = Rows.Weight(index);

            // Differences of logits first: their size leaves no rounding in the loss.
            Losses[index] = Math.Log(sum) + (weight * ((double)highest - own)) + ((1 - weight) * ((double)highest - second));
            Hits[index] = own >= highest ? 1 : 0;
            Rows.Saved(index)[0] = highest;
            Rows.Saved(index)[1] = (float)(1 / sum);
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public RowTargets Rows;
        public float* Gradient;
        public nint Stride;
        public float Factor;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            float* logits = Rows.Logits(index);
            float* to = Gradient + (index * Stride);
            float highest = Rows.Saved(index)[0], factor = Factor * Rows.Saved(index)[1], weight = Rows.Weight(index);
            var (shift, factors) = (Vector512.Create(highest), Vector512.Create(factor));
            int i = 0;
            for (; i <= Rows.Classes - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var value = Vector512.Exp(Vector512.Load(logits + i) - shift) * factors;
                (Accumulate ? Vector512.Load(to + i) + value : value).Store(to + i);
            }

            for (; i < Rows.Classes; i++)
            {
                float value = MathF.Exp(logits[i] - highest) * factor;
                to[i] = Accumulate ? to[i] + value : value;
            }

            to[Rows.Own(index)] -= Factor * weight;
            to[Rows.Second(index)] -= Factor * (1 - weight);
        }
    }
}
