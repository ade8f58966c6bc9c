using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class Information
{
    // Columns of one item: their running sums stay in registers while the rows go by.
    private const int ColumnsPerItem = 2 * ClassLanes.Count;

    private static void CpuForward(
        CpuDevice cpu, Tensor logits, float marginalWeight, Tensor? running, float share, Tensor saved, Tensor logMarginal, Tensor loss, Tensor entropies)
    {
        int rows = logits.Shape[0], classes = logits.Shape[1];
        var entropyOfRow = CosineProblem.RentDoubles(cpu, rows);
        var rowBody = new RowBody { Logits = logits.Data, Stride = logits.RowStride, Classes = classes, Saved = saved.Data, Entropies = entropyOfRow };
        cpu.Workers.For(rows, ref rowBody);
        double conditional = 0;
        for (int row = 0; row < rows; row++)
        {
            conditional += entropyOfRow[row];
        }

        int items = (classes + ColumnsPerItem - 1) / ColumnsPerItem;
        var parts = CosineProblem.RentDoubles(cpu, items);
        var columnBody = new ColumnBody
        {
            Logits = logits.Data,
            Stride = logits.RowStride,
            Rows = rows,
            Classes = classes,
            Saved = saved.Data,
            Running = running is null ? null : running.Data,
            Share = share,
            LogMarginal = logMarginal.Data,
            Entropies = parts,
        };
        cpu.Workers.For(items, ref columnBody);
        double marginal = 0;
        for (int item = 0; item < items; item++)
        {
            marginal += parts[item];
        }

        conditional /= rows;
        entropies.Data[0] = (float)conditional;
        entropies.Data[1] = (float)marginal;
        loss.Data[0] = (float)(conditional - (marginalWeight * marginal));
    }

    private static void CpuBackward(
        CpuDevice cpu, Tensor logits, Tensor saved, Tensor logMarginal, float marginalFactor, Tensor lossGradient, Tensor gradient, bool accumulate)
    {
        var body = new BackwardBody
        {
            Logits = logits.Data,
            Stride = logits.RowStride,
            Classes = logits.Shape[1],
            Saved = saved.Data,
            LogMarginal = logMarginal.Data,
            MarginalFactor = marginalFactor,
            Factor = lossGradient.Data[0] / logits.Shape[0],
            Gradient = gradient.Data,
            GradientStride = gradient.RowStride,
            Accumulate = accumulate,
        };
        cpu.Workers.For(logits.Shape[0], ref body);
    }

    private struct RowBody : IParallelBody
    {
        public float* Logits, Saved;
        public nint Stride;
        public int Classes;
        public double* Entropies;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            float* logits = Logits + (index * Stride);
            var softmax = LogSoftmax.Of(logits, Classes);
            var sums = Vector512<double>.Zero;
            for (int i = 0; i < Classes; i += ClassLanes.Count)
            {
                // What is missing has probability 0.
                var log = softmax.Log(ClassLanes.Load(logits + i, Classes - i, float.MinValue / 4));
                sums = ClassLanes.Add(sums, Vector512.Exp(log) * log);
            }

            double entropy = -Vector512.Sum(sums);
            float* saved = Saved + ((nint)index * SavedSize);
            softmax.Store(saved);
            saved[LogSoftmax.Size] = (float)entropy;
            Entropies[index] = entropy;
        }
    }

    private struct ColumnBody : IParallelBody
    {
        public float* Logits, Saved, Running, LogMarginal;
        public nint Stride;
        public int Rows, Classes;
        public float Share;
        public double* Entropies;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int start = index * ColumnsPerItem, count = Math.Min(ColumnsPerItem, Classes - start), second = Math.Max(0, count - ClassLanes.Count);
            Vector512<float> low = Vector512<float>.Zero, high = Vector512<float>.Zero;
            for (int row = 0; row < Rows; row++)
            {
                float* logits = Logits + (row * Stride) + start;
                var softmax = LogSoftmax.Load(Saved + ((nint)row * SavedSize));
                low += Vector512.Exp(softmax.Log(ClassLanes.Load(logits, count)));
                if (second > 0)
                {
                    high += Vector512.Exp(softmax.Log(ClassLanes.Load(logits + ClassLanes.Count, second)));
                }
            }

            Entropies[index] = Finish(low, start, count) + (second > 0 ? Finish(high, start + ClassLanes.Count, second) : 0);
        }

        // Blends the sums of up to 16 columns into the marginal; returns their part of its entropy.
        private readonly double Finish(Vector512<float> sums, int start, int count)
        {
            double entropy = 0;
            for (int i = 0; i < Math.Min(count, ClassLanes.Count); i++)
            {
                float marginal = sums[i] / Rows;
                if (Running != null)
                {
                    marginal = ((1 - Share) * Running[start + i]) + (Share * marginal);
                    Running[start + i] = marginal;
                }

                // A comparison this way round keeps a NaN.
                float log = MathF.Log(marginal < SmallestProbability ? SmallestProbability : marginal);
                LogMarginal[start + i] = log;
                entropy -= (double)marginal * log;
            }

            return entropy;
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public float* Logits, Saved, LogMarginal, Gradient;
        public nint Stride, GradientStride;
        public int Classes;
        public float MarginalFactor, Factor;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            float* logits = Logits + (index * Stride);
            float* saved = Saved + ((nint)index * SavedSize);
            var softmax = LogSoftmax.Load(saved);
            var sums = Vector512<double>.Zero;
            for (int i = 0; i < Classes; i += ClassLanes.Count)
            {
                var log = softmax.Log(ClassLanes.Load(logits + i, Classes - i, float.MinValue / 4));
                sums = ClassLanes.Add(sums, Vector512.Exp(log) * ClassLanes.Load(LogMarginal + i, Classes - i));
            }

            var centre = Vector512.Create((float)((MarginalFactor * Vector512.Sum(sums)) + saved[LogSoftmax.Size]));
            var (factor, marginalFactor) = (Vector512.Create(Factor), Vector512.Create(MarginalFactor));
            float* to = Gradient + (index * GradientStride);
            for (int i = 0; i < Classes; i += ClassLanes.Count)
            {
                int left = Classes - i;
                var log = softmax.Log(ClassLanes.Load(logits + i, left));
                var slope = (marginalFactor * ClassLanes.Load(LogMarginal + i, left)) - log - centre;
                ClassLanes.Store(factor * Vector512.Exp(log) * slope, to + i, left, Accumulate);
            }
        }
    }
}
