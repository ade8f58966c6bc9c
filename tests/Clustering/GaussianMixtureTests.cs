using System.Diagnostics;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

public class GaussianMixtureTests
{
    [TestCase(40, 1, 2)]
    [TestCase(97, 3, 5)]
    [TestCase(600, 17, 6)]
    [TestCase(1025, 33, 9)]
    public void Every_round_is_that_of_the_definition(int count, int dimension, int components)
    {
        var (rows, labels) = FeatureMetricsTests.Blobs(count, count, dimension, components, spread: 1, offset: 5);
        var options = new GaussianMixtureOptions { MaximumIterations = 6, Tolerance = 0 };
        var mixture = GaussianMixture.FitFromLabels(rows, dimension, labels, options);
        var want = new Reference(rows, dimension, labels, components, options.VarianceFloor);
        double[] logLikelihoods = [.. Enumerable.Range(0, 7).Select(_ => want.Round())];
        Assert.Multiple(() =>
        {
            Close.Assert(mixture.LogLikelihoods, logLikelihoods, 2e-5 * dimension, "log-likelihoods");
            Close.Assert(mixture.Means, want.PreviousMeans, 1e-3, "means");
            Close.Assert(mixture.Variances, want.PreviousVariances, 1e-3, "variances");
            Close.Assert(mixture.Weights, want.PreviousWeights, 1e-4, "weights");
            Assert.That(mixture.Iterations, Is.EqualTo(6));
            Assert.That(mixture.Labels.ToArray().Zip(want.Labels).Count(pair => pair.First != pair.Second), Is.LessThanOrEqualTo(count / 200));
        });
    }

    [Test]
    public void The_likelihood_never_falls_and_the_tolerance_ends_it()
    {
        var (rows, _) = FeatureMetricsTests.Blobs(1, 800, 8, 6, spread: 1, offset: 0);
        var seen = new Recorder();
        var mixture = GaussianMixture.FitFromCentroids(rows, 8, rows.AsSpan(0, 6 * 8), new GaussianMixtureOptions { MaximumIterations = 500, Tolerance = 1e-5 }, seen);
        double[] values = mixture.LogLikelihoods.ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(mixture.Converged);
            Assert.That(values.Length, Is.GreaterThan(3));
            Assert.That(values.Zip(values.Skip(1)).Select(pair => pair.Second - pair.First), Is.All.GreaterThan(-1e-5));
            Assert.That(seen.Values.Select(p => p.LogLikelihood), Is.EqualTo(values));
            Assert.That(mixture.Weights.ToArray().Sum(), Is.EqualTo(1).Within(1e-6));
        });
    }

    [Test]
    public void Rows_on_a_point_get_the_variance_floor_rather_than_infinite_density()
    {
        float[] rows = [.. Enumerable.Repeat(0f, 50), .. Samples.Normal(3, 50).Select(v => 10 + v)];
        int[] labels = [.. Enumerable.Range(0, 100).Select(i => i / 50)];
        var mixture = GaussianMixture.FitFromLabels(rows, 1, labels, new GaussianMixtureOptions { VarianceFloor = 1e-3 });
        double mean = rows.Average(v => (double)v), variance = rows.Average(v => (v - mean) * (v - mean));
        Assert.That(mixture.Variances[0], Is.EqualTo(1e-3 * variance).Within(1e-6));
        Assert.That(mixture.Labels.ToArray(), Is.EqualTo(labels));
    }

    [Test]
    public void Spread_decides_where_distance_could_not()
    {
        // A narrow cloud inside a wide one around the same point: k-means cannot part them, a mixture can.
        float[] rows = [.. Samples.Normal(1, 2000, 0.1f), .. Samples.Normal(2, 2000, 10f)];
        int[] truth = [.. Enumerable.Range(0, 2000).Select(i => i / 1000)];
        int[] start = [.. Enumerable.Range(0, 2000).Select(i => MathF.Abs(rows[2 * i]) < 1 ? 0 : 1)];
        var mixture = GaussianMixture.FitFromLabels(rows, 2, start);
        Assert.That(LabelMetrics.Compare(truth, mixture.Labels).Accuracy, Is.GreaterThan(0.99));
    }

    [Test]
    public void A_component_without_rows_keeps_its_number_and_wins_nothing()
    {
        float[] rows = Samples.Normal(4, 60);
        int[] labels = [.. Enumerable.Range(0, 30).Select(i => i % 2 * 2)];
        var mixture = GaussianMixture.FitFromLabels(rows, 2, labels);
        Assert.Multiple(() =>
        {
            Assert.That(mixture.Components, Is.EqualTo(3));
            Assert.That(mixture.Weights[1], Is.Zero);
            Assert.That(mixture.Labels.ToArray(), Has.No.Member(1));
            Assert.That(mixture.Means.ToArray(), Is.All.Matches<float>(float.IsFinite));
        });
    }

    [Test]
    public void Equal_rows_and_a_single_component_are_no_trouble()
    {
        var same = GaussianMixture.FitFromCentroids([7, 7, 7, 7], 2, [7, 7]);
        Assert.That(same.Labels.ToArray(), Is.EqualTo(new[] { 0, 0 }));
        float[] rows = Samples.Normal(5, 100 * 3);
        var one = GaussianMixture.FitFromLabels(rows, 3, new int[100]);
        Assert.That(one.Means[2], Is.EqualTo(Enumerable.Range(0, 100).Average(i => rows[(3 * i) + 2])).Within(1e-6));
    }

    [Test]
    public void Prediction_of_the_same_rows_gives_their_labels()
    {
        var (rows, labels) = FeatureMetricsTests.Blobs(9, 700, 12, 5, spread: 1, offset: -20);
        var mixture = GaussianMixture.FitFromLabels(rows, 12, labels);
        Assert.That(mixture.Predict(rows), Is.EqualTo(mixture.Labels.ToArray()));
        Assert.That(mixture.Predict(rows.AsSpan(12 * 33, 12)), Is.EqualTo(new[] { mixture.Labels[33] }));
    }

    [TestCase(1)]
    [TestCase(2)]
    public void The_number_of_threads_changes_no_bit(int threads)
    {
        var (rows, labels) = FeatureMetricsTests.Blobs(2, 1500, 20, 11, spread: 2, offset: 0);
        var first = GaussianMixture.FitFromLabels(rows, 20, labels, new GaussianMixtureOptions { Threads = threads });
        var second = GaussianMixture.FitFromLabels(rows, 20, labels, new GaussianMixtureOptions { Threads = 5 });
        Assert.That(first.LogLikelihoods.ToArray(), Is.EqualTo(second.LogLikelihoods.ToArray()));
        Assert.That(first.Means.ToArray(), Is.EqualTo(second.Means.ToArray()));
        Assert.That(first.Variances.ToArray(), Is.EqualTo(second.Variances.ToArray()));
    }

    [Test]
    public void Impossible_requests_are_refused()
    {
        float[] rows = [1, 2, 3, 4];
        Assert.Multiple(() =>
        {
            Assert.That(() => GaussianMixture.FitFromLabels(rows, 2, [0, -1]), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("row 1 is -1"));
            Assert.That(() => GaussianMixture.FitFromLabels(rows, 2, [0, 2]), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => GaussianMixture.FitFromLabels(rows, 2, [0]), Throws.TypeOf<ShapeException>());
            Assert.That(() => GaussianMixture.FitFromCentroids(rows, 2, [1, 2, 3, 4, 5, 6]), Throws.TypeOf<ShapeException>().With.Message.Contains("3 centroids for 2 rows"));
            Assert.That(() => GaussianMixture.FitFromCentroids(rows, 2, [1, float.PositiveInfinity]), Throws.TypeOf<NonFiniteException>().With.Message.Contains("centroids: row 0, column 1"));
            Assert.That(() => GaussianMixture.FitFromLabels(rows, 2, [0, 0], new GaussianMixtureOptions { VarianceFloor = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("varianceFloor"));
            Assert.That(() => GaussianMixture.FitFromLabels(rows, 2, [0, 0], new GaussianMixtureOptions { Tolerance = double.NaN }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => GaussianMixture.FitFromLabels(rows, 2, [0, 0], new GaussianMixtureOptions { MaximumIterations = 0 }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => GaussianMixture.FitFromLabels(rows, 2, [0, 0], cancellation: new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
        });
    }

    [Test, Category("Slow")]
    public void A_mixture_of_embeddings_takes_seconds()
    {
        var (rows, labels) = FeatureMetricsTests.Blobs(3, 20_000, 192, 256, spread: 1, offset: 0);
        var clock = Stopwatch.StartNew();
        var mixture = GaussianMixture.FitFromLabels(rows, 192, labels, new GaussianMixtureOptions { MaximumIterations = 5, Tolerance = 0 });
        TestContext.Out.WriteLine($"{mixture.Iterations + 1} expectations of 20000 x 192, K = 256: {clock.Elapsed.TotalSeconds:0.00} s");
        Assert.That(LabelMetrics.Compare(labels, mixture.Labels).Accuracy, Is.GreaterThan(0.9));
    }

    private sealed class Recorder : IProgress<GaussianMixtureProgress>
    {
        public List<GaussianMixtureProgress> Values { get; } = [];

        public void Report(GaussianMixtureProgress value) => Values.Add(value);
    }

    /// <summary>Expectation-maximization in f64, straight from the formulas.</summary>
    private sealed class Reference
    {
        private readonly float[] _rows;
        private readonly int _dimension, _components;
        private readonly double[] _floor;
        private double[] _weights = [], _means = [], _variances = [];

        public Reference(float[] rows, int dimension, int[] labels, int components, double floor)
        {
            (_rows, _dimension, _components) = (rows, dimension, components);
            _floor = [.. Enumerable.Range(0, dimension).Select(d =>
            {
                double[] column = [.. Enumerable.Range(0, labels.Length).Select(i => (double)rows[(i * dimension) + d])];
                double mean = column.Average();
                return floor * column.Average(v => (v - mean) * (v - mean));
            })];
            Labels = labels;
            Maximize([.. labels.Select(label => Enumerable.Range(0, components).Select(k => k == label ? 1.0 : 0).ToArray())]);
        }

        public int[] Labels { get; private set; }

        public double[] PreviousMeans { get; private set; } = [];

        public double[] PreviousVariances { get; private set; } = [];

        public double[] PreviousWeights { get; private set; } = [];

        /// <summary>Expectation (whose mean log-likelihood is returned), then maximization.</summary>
        public double Round()
        {
            (PreviousMeans, PreviousVariances, PreviousWeights) = (_means, _variances, _weights);
            double sum = 0;
            var shares = new double[Labels.Length][];
            Labels = new int[shares.Length];
            for (int i = 0; i < shares.Length; i++)
            {
                double[] logs = [.. Enumerable.Range(0, _components).Select(k => Math.Log(_weights[k]) + Enumerable.Range(0, _dimension).Sum(d =>
                {
                    double v = _variances[(k * _dimension) + d], x = _rows[(i * _dimension) + d] - _means[(k * _dimension) + d];
                    return -0.5 * (Math.Log(2 * Math.PI * v) + (x * x / v));
                }))];
                double most = logs.Max(), total = logs.Sum(l => Math.Exp(l - most));
                sum += most + Math.Log(total);
                Labels[i] = Array.IndexOf(logs, most);
                shares[i] = [.. logs.Select(l => Math.Exp(l - most) / total)];
            }

            Maximize(shares);
            return sum / shares.Length;
        }

        private void Maximize(double[][] shares)
        {
            _weights = new double[_components];
            _means = new double[_components * _dimension];
            _variances = new double[_components * _dimension];
            for (int k = 0; k < _components; k++)
            {
                double total = shares.Sum(s => s[k]);
                _weights[k] = total / shares.Length;
                for (int d = 0; d < _dimension; d++)
                {
                    double mean = shares.Select((s, i) => s[k] * _rows[(i * _dimension) + d]).Sum() / total;
                    _means[(k * _dimension) + d] = mean;
                    double variance = shares.Select((s, i) => s[k] * (_rows[(i * _dimension) + d] - mean) * (_rows[(i * _dimension) + d] - mean)).Sum() / total;
                    _variances[(k * _dimension) + d] = Math.Max(_floor[d], variance);
                }
            }
        }
    }
}
