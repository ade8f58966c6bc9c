using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <content>Mini-batches. A learning rate of 1 / rows seen makes every centroid the mean of all rows it was ever given.</content>
internal sealed unsafe partial class KMeansRun
{
    /// <summary>Bytes of memory of the mini-batch algorithm.</summary>
    public static long MiniBatchBytes(int batch, int dimension, int clusters) =>
        ((long)clusters * (dimension + 1) * sizeof(double)) + (batch * ((long)dimension + 4) * sizeof(float));

    private KMeansOutcome MiniBatches(int restart, float* centroids, Tensor centroidTensor)
    {
        int size = Math.Min(_options.MiniBatchSize, Rows), window = (int)(((long)Rows + size - 1) / size);
        var batch = new Batch(size, Dimension, _data);
        double[] sums = new double[(long)Clusters * Dimension], totals = new double[Clusters];
        int[] counts = new int[Clusters];
        var inertia = new List<double>();
        _memory.Fetch(centroidTensor, centroids);
        fixed (float* rows = batch.Rows, scales = batch.Scales, weights = batch.Weights, distances = batch.Distances)
        fixed (int* labels = batch.Labels)
        {
            var gathered = new KMeansData { Rows = rows, Scales = scales, Weights = weights, Count = size, Dimension = Dimension };
            var rowTensor = _memory.Output(rows, new Shape(size, Dimension), ElementType.Float32);
            var scaleTensor = scales == null ? null : _memory.Output(scales, new Shape(size), ElementType.Float32);
            var labelTensor = _memory.Output(labels, new Shape(size), ElementType.Int32);
            var distanceTensor = _memory.Output(distances, new Shape(size), ElementType.Float32);
            _memory.Store(labels, labelTensor);
            for (int iteration = 1; iteration <= _options.MaximumIterations; iteration++)
            {
                batch.Draw(new CounterRandom(_options.Seed, RandomPurpose.Clustering, KMeansStreams.Batch + iteration, restart), _data);
                _memory.Store(rows, rowTensor);
                if (scaleTensor is not null)
                {
                    _memory.Store(scales, scaleTensor);
                }

                var assigned = KMeansAssign.Forward(
                    _memory.Device, rowTensor, scaleTensor, centroidTensor, _options.Metric, labelTensor, distanceTensor, _cancellation);
                _memory.Fetch(labelTensor, labels);
                _memory.Fetch(distanceTensor, distances);
                inertia.Add(assigned.Objective * Rows / size);
                Learn(gathered, labels, sums, totals, counts, centroids);
                Report(restart, iteration, assigned with { Objective = inertia[^1] }, counts);
                if (iteration % window == 0 && _options.EmptyClusters != EmptyClusterPolicy.Keep && counts.Contains(0))
                {
                    EmptyClusters.MoveToFarthest(gathered, _options.Metric, distances, counts, centroids);
                }

                _memory.Store(centroids, centroidTensor);
                if (_options.Tolerance > 0 && iteration % window == 0 && iteration >= 2 * window)
                {
                    double before = inertia.Skip(iteration - (2 * window)).Take(window).Sum(), now = inertia.Skip(iteration - window).Sum();
                    if (before - now <= _options.Tolerance * Math.Abs(before))
                    {
                        return new KMeansOutcome(inertia, KMeansStop.Tolerance);
                    }
                }

                if (TimeIsUp)
                {
                    return new KMeansOutcome(inertia, KMeansStop.MaximumTime);
                }
            }
        }

        return new KMeansOutcome(inertia, KMeansStop.MaximumIterations);
    }

    private void Learn(in KMeansData batch, int* labels, double[] sums, double[] totals, int[] counts, float* centroids)
    {
        var touched = new HashSet<int>();
        for (int i = 0; i < batch.Count; i++)
        {
            int k = labels[i];
            double factor = batch.Scales == null ? 1 : batch.Scales[i];
            if (!(factor > 0))
            {
                continue;
            }

            touched.Add(k);
            counts[k]++;
            totals[k] += factor;
            float* x = batch.Row(i);
            var sum = sums.AsSpan(k * Dimension, Dimension);
            for (int d = 0; d < sum.Length; d++)
            {
                sum[d] += factor * x[d];
            }
        }

        foreach (int k in touched)
        {
            var sum = sums.AsSpan(k * Dimension, Dimension);
            double divisor = totals[k];
            if (_options.Metric == ClusterMetric.Cosine)
            {
                divisor = 0;
                foreach (double value in sum)
                {
                    divisor += value * value;
                }

                divisor = Math.Sqrt(divisor);
            }

            for (int d = 0; d < sum.Length && divisor > 0; d++)
            {
                centroids[((nint)k * Dimension) + d] = (float)(sum[d] / divisor);
            }
        }
    }

    /// <summary>Rows drawn with replacement, copied together.</summary>
    private sealed class Batch(int size, int dimension, KMeansData data)
    {
        public float[] Rows { get; } = new float[(long)size * dimension];

        public float[]? Scales { get; } = data.Scales == null ? null : new float[size];

        public float[]? Weights { get; } = data.Weights == null ? null : new float[size];

        public float[] Distances { get; } = new float[size];

        public int[] Labels { get; } = new int[size];

        public void Draw(CounterRandom random, in KMeansData from)
        {
            for (int i = 0; i < Labels.Length; i++)
            {
                int row = random.NextInt(from.Count);
                new ReadOnlySpan<float>(from.Row(row), from.Dimension).CopyTo(Rows.AsSpan(i * from.Dimension));
                Scales?[i] = from.Scales[row];
                Weights?[i] = from.Weights[row];
            }
        }
    }
}
