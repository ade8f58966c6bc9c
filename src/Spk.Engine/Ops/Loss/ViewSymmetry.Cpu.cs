using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class ViewSymmetry
{
    private static void CpuForward(CpuDevice cpu, Tensor logits, int views, Tensor? weights, in Saved saved, Tensor loss)
    {
        int items = logits.Shape[0] / views;
        var losses = CosineProblem.RentDoubles(cpu, items);
        var body = new ForwardBody { Problem = new Problem(logits, views, weights, saved), Losses = losses };
        cpu.Workers.For(items, ref body);
        double sum = 0;
        for (int item = 0; item < items; item++)
        {
            sum += losses[item];
        }

        loss.Data[0] = (float)(sum / items);
    }

    private static void CpuBackward(
        CpuDevice cpu, Tensor logits, int views, Tensor? weights, in Saved saved, Tensor lossGradient, Tensor gradient, bool accumulate)
    {
        int rows = logits.Shape[0];
        var body = new BackwardBody
        {
            Problem = new Problem(logits, views, weights, saved),
            Factor = lossGradient.Data[0] / rows,
            Gradient = gradient.Data,
            Stride = gradient.RowStride,
            Accumulate = accumulate,
        };
        cpu.Workers.For(rows, ref body);
    }

    private readonly struct Problem(Tensor logits, int views, Tensor? weights, Saved saved)
    {
        public readonly int Views = views, Items = logits.Shape[0] / views, Classes = logits.Shape[1];
        private readonly float* _logits = logits.Data, _saved = saved.Rows.Data, _logMixture = saved.LogMixture.Data;
        private readonly float* _weights = weights == null ? null : weights.Data, _ratio = saved.Ratio == null ? null : saved.Ratio.Data;

        public float* Logits(int row) => _logits + ((nint)row * Classes);

        public float* Saved(int row) => _saved + ((nint)row * SavedSize);

        public float* LogMixture(int item) => _logMixture + ((nint)item * Classes);

        public float* Ratio(int item) => _ratio == null ? null : _ratio + ((nint)item * Classes);

        public float Weight(int item, int view) => _weights == null ? 1f / Views : _weights[((nint)item * Views) + view];
    }

    private struct ForwardBody : IParallelBody
    {
        public Problem Problem;
        public double* Losses;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int views = Problem.Views;
            for (int view = 0; view < views; view++)
            {
                int row = (view * Problem.Items) + index;
                LogSoftmax.Of(Problem.Logits(row), Problem.Classes).Store(Problem.Saved(row));
            }

            Mix(index);
            double sum = 0;
            for (int view = 0; view < views; view++)
            {
                sum += Compare(index, view);
            }

            Losses[index] = sum / views;
        }

        private readonly void Mix(int item)
        {
            float* logMixture = Problem.LogMixture(item);
            float* ratio = Problem.Ratio(item);
            for (int i = 0; i < Problem.Classes; i += ClassLanes.Count)
            {
                int left = Problem.Classes - i;
                Vector512<float> mixture = Vector512<float>.Zero, total = Vector512<float>.Zero;
                for (int view = 0; view < Problem.Views; view++)
                {
                    int row = (view * Problem.Items) + item;
                    var probability = Vector512.Exp(LogSoftmax.Load(Problem.Saved(row)).Log(ClassLanes.Load(Problem.Logits(row) + i, left)));
                    mixture += probability * Vector512.Create(Problem.Weight(item, view));
                    total += probability;
                }

                mixture = Vector512.Max(mixture, Vector512.Create(SmallestProbability));
                ClassLanes.Store(Vector512.Log(mixture), logMixture + i, left, accumulate: false);
                if (ratio != null)
                {
                    ClassLanes.Store(total / mixture, ratio + i, left, accumulate: false);
                }
            }
        }

        // KL of a view from the mixture; keeps Σ p c.
        private readonly double Compare(int item, int view)
        {
            int row = (view * Problem.Items) + item;
            float* logits = Problem.Logits(row);
            float* logMixture = Problem.LogMixture(item);
            float* ratio = Problem.Ratio(item);
            var softmax = LogSoftmax.Load(Problem.Saved(row));
            Vector512<double> divergences = Vector512<double>.Zero, pulls = Vector512<double>.Zero;
            for (int i = 0; i < Problem.Classes; i += ClassLanes.Count)
            {
                int left = Problem.Classes - i;
                var log = softmax.Log(ClassLanes.Load(logits + i, left, float.MinValue / 4));
                var probability = Vector512.Exp(log);
                divergences = ClassLanes.Add(divergences, probability * (log - ClassLanes.Load(logMixture + i, left)));
                if (ratio != null)
                {
                    pulls = ClassLanes.Add(pulls, probability * ClassLanes.Load(ratio + i, left));
                }
            }

            double divergence = Vector512.Sum(divergences);
            Problem.Saved(row)[LogSoftmax.Size] = (float)(divergence - (Problem.Weight(item, view) * Vector512.Sum(pulls)));
            return divergence;
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public Problem Problem;
        public float Factor;
        public float* Gradient;
        public nint Stride;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int item = index % Problem.Items;
            float* logits = Problem.Logits(index);
            float* logMixture = Problem.LogMixture(item);
            float* ratio = Problem.Ratio(item);
            float* to = Gradient + (index * Stride);
            var softmax = LogSoftmax.Load(Problem.Saved(index));
            var (centre, factor) = (Vector512.Create(Problem.Saved(index)[LogSoftmax.Size]), Vector512.Create(Factor));
            var weight = Vector512.Create(Problem.Weight(item, index / Problem.Items));
            for (int i = 0; i < Problem.Classes; i += ClassLanes.Count)
            {
                int left = Problem.Classes - i;
                var log = softmax.Log(ClassLanes.Load(logits + i, left));
                var slope = log - ClassLanes.Load(logMixture + i, left) - centre;
                if (ratio != null)
                {
                    slope -= weight * ClassLanes.Load(ratio + i, left);
                }

                ClassLanes.Store(factor * Vector512.Exp(log) * slope, to + i, left, Accumulate);
            }
        }
    }
}
