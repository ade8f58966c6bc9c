using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>Scores, softmax and weighted moments by themselves, which on CUDA are one kernel: tiles, parts, arithmetics, scores of any size.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class AttentiveStatsPoolScoresTests(TestDevice on)
{
    private const float Eps = 1e-6f;

    // One frame; one tile; tiles that end early, each way; several slabs of hidden units, by fours; parts of an utterance; a weight too long to stay.
    [TestCase(2, 1, 3, 5)]
    [TestCase(1, 64, 64, 16)]
    [TestCase(2, 70, 67, 19, Category = "Sanitized")]
    [TestCase(1, 131, 66, 36)]
    [TestCase(1, 260, 3, 7)]
    [TestCase(1, 67, 5, 401, Category = "Sanitized")]
    public void Every_arithmetic_matches_f64_on_equally_rounded_operands(int n, int t, int c, int h)
    {
        var data = new Data(n, t, c, h);
        foreach (var precision in on.Precisions)
        {
            using var device = on.Open(precision: precision);
            var want = data.Reference(precision);
            var launched = new List<string>();
            if (device is CudaDevice cuda)
            {
                cuda.Launching = kernel => launched.Add(kernel.Name);
            }

            var got = data.Run(device);
            double limit = 2 * Tolerance.Reduction(Math.Max(t, h));
            Close.Assert(got.Y, want.Y, limit * want.Y.Max(Math.Abs), $"{precision}, result");
            Close.Assert(got.X, want.X, limit * Largest(want.X), $"{precision}, gradient of x");

            // The gradient of the scores is made from f32 numbers, which round to a neighbour of what those in f64 do now and then.
            double rounded = limit + (precision == Precision.Fp32 ? 0 : 0.2 * Tolerance.RoundedProduct(precision, 1));
            Close.Assert(got.Hidden, want.Hidden, rounded * Largest(want.Hidden), $"{precision}, gradient of the hidden units");
            Close.Assert(got.Weight, want.Weight, rounded * Largest(want.Weight), $"{precision}, gradient of the weight");
            Assert.That(data.Run(device).All, Is.EqualTo(got.All), "the same bits again");
            string name = precision.ToString().ToLowerInvariant();
            Assert.That(
                launched.Where(kernel => kernel.StartsWith("attentive", StringComparison.Ordinal)),
                on.IsCuda ? Is.SupersetOf(new[] { $"attentive_stats_pool_forward_{name}", $"attentive_stats_pool_backward_{name}" }) : Is.Empty);
        }
    }

    [TestCase(2, 1, 3, 5)]
    [TestCase(1, 67, 3, 17)]
    public void Gradients_match_differences(int n, int t, int c, int h)
    {
        using var device = on.Open();
        float[] bias = Samples.Normal(5, c);
        GradientCheck.Run(
            device,
            [
                ("x", new Shape(n, t, c), Samples.Normal(1, n * t * c)),
                ("hidden units", new Shape(n, t, h), Samples.Normal(3, n * t * h)),
                ("weight", new Shape(c, h), Samples.Normal(4, c * h, 0.5f)),
            ],
            (tape, v) => AttentiveStatsPool.Pool(tape, v[0], v[1], v[2], Samples.Constant(device, new Shape(c), bias), Eps),
            v => EncoderReference.AttentivePool(
                new Frames(n, t, c, v[0]), EncoderReference.Linear(new Frames(n, t, h, v[1]), v[2], Samples.ToDouble(bias)), Eps).V);
    }

    [Test]
    public void Inference_gives_the_bits_of_training_and_the_order_of_threads_none()
    {
        var data = new Data(2, 70, 67, 19);
        foreach (var precision in on.Precisions)
        {
            using var device = on.Open(precision: precision);
            var trained = data.Run(device);
            Assert.That(Samples.Read(data.Forward(device, null, out _)), Is.EqualTo(trained.Y), $"{precision}, inference");
            using var other = (on.IsCuda ? TestDevice.Cuda.First() : TestDevice.Cpu).Open(threads: 1, precision);
            Assert.That(data.Run(other).All, Is.EqualTo(trained.All), $"{precision}, another order");
        }
    }

    [Test]
    public void A_replayed_step_gives_the_bits_of_one_that_is_not()
    {
        const int n = 2, t = 70, c = 5, h = 6;
        using var device = on.Open();
        Tensor x = null!, hidden = null!, weight = null!, bias = null!;
        Tensor[] results = [];
        var tape = new Tape();
        var work = new ReplayedWork(device, () =>
        {
            tape.Clear();
            var y = AttentiveStatsPool.Pool(tape, x, hidden, weight, bias, Eps);
            device.Fill(y.GradForWrite(out _), 1f);
            tape.BackwardFromGradients();
            results = [y, x.Grad!, hidden.Grad!, weight.Grad!, bias.Grad!];
        });
        for (int step = 0; step < 5; step++)
        {
            float[] values = Samples.Normal(step, n * t * c), units = Samples.Normal(step + 10, n * t * h), map = Samples.Normal(step + 20, c * h), offset = Samples.Normal(step + 30, c);
            device.Workspace.Reset();
            work.Begin();
            x = Samples.Variable(device, new Shape(n, t, c), values);
            hidden = Samples.Variable(device, new Shape(n, t, h), units);
            weight = Samples.Variable(device, new Shape(c, h), map);
            bias = Samples.Variable(device, new Shape(c), offset);
            work.Run(0);
            float[] got = [.. results.SelectMany(Samples.Read)];
            using var other = on.Open();
            Assert.That(got, Is.EqualTo(new Run(other, n, t, c, h, values, units, map, offset, LayerCheck.Constant(n * 2 * c, 1f)).All), $"step {step}");
        }

        Assert.That((device as CudaDevice)?.Recorder.Replays ?? 2, Is.EqualTo(2));
    }

    [Test]
    public void Views_and_accumulation_change_nothing()
    {
        var data = new Data(2, 70, 33, 19);
        foreach (var precision in on.Precisions)
        {
            using var device = on.Open(precision: precision);
            var plain = data.Run(device);
            var (before, got) = data.RunOnViews(device);
            Assert.That(got.Y, Is.EqualTo(plain.Y), $"{precision}");
            Close.Assert(got.X, [.. plain.X.Select((v, i) => (double)v + before[i])], 1e-6, $"{precision}, gradient added to what is there");
            Assert.That(got.Weight, Is.EqualTo(plain.Weight), $"{precision}");
        }
    }

    // The dominating frame in the first and the second tile, so that the maximum moves and stays; several of them are averaged.
    [TestCase(new[] { 0 })]
    [TestCase(new[] { 69 })]
    [TestCase(new[] { 3, 30, 64, 68 })]
    public void Frames_with_scores_of_10000_against_minus_10000_are_all_there_is(int[] chosen)
    {
        const int n = 2, t = 70, c = 67, h = 3;
        foreach (var precision in on.Precisions)
        {
            using var device = on.Open(precision: precision);
            float[] x = Samples.Normal(1, n * t * c), hidden = LayerCheck.Constant(n * t * h, 0);
            for (int row = 0; row < n * t; row++)
            {
                hidden[row * h] = chosen.Contains(row % t) ? 1 : -1;
            }

            float[] weight = [.. Enumerable.Range(0, c * h).Select(i => i % h == 0 ? 9984f : 1f)]; // Of 8 bits, in any precision.
            var got = new Run(device, n, t, c, h, x, hidden, weight, Samples.Normal(5, c), Samples.Normal(9, n * 2 * c));
            double[] want = Moments(n, t, c, x, chosen);
            Close.Assert(got.Y, want, 1e-5, $"{precision}");
            for (int i = 0; i < got.X.Length; i++)
            {
                Assert.That(got.X[i] == 0, Is.EqualTo(!chosen.Contains(i / c % t)), $"{precision}: frames without weight, and no others, have no gradient");
            }
        }
    }

    [Test]
    public void Equal_scores_give_the_plain_moments_with_a_mean_far_above_the_deviation()
    {
        const int n = 2, t = 131, c = 35, h = 3;
        using var device = on.Open();
        float[] x = [.. Samples.Normal(1, n * t * c, 0.01f).Select(v => 1e4f + v)], dy = Samples.Normal(9, n * 2 * c);
        var got = new Run(device, n, t, c, h, x, LayerCheck.Constant(n * t * h, 0.5f), Samples.Normal(4, c * h), Samples.Normal(5, c), dy, eps: 1e-12f);
        double[] want = Moments(n, t, c, x, [.. Enumerable.Range(0, t)], eps: 1e-12);

        // The CPU takes deviations from the mean rounded to f32, whose unit is a tenth of the deviation here.
        Close.Assert(Deviations(Samples.ToDouble(got.Y)), Deviations(want), on.IsCuda ? 1e-6 : 2e-4, "deviations");
        Close.Assert(got.Y, want, 1e-3, "means to their last digit");
        if (on.IsCuda)
        {
            double[] dx = [.. x.Select((v, i) =>
            {
                int at = (i / (t * c) * 2 * c) + (i % c);
                return (dy[at] + (dy[at + c] * (v - want[at]) / want[at + c])) / t;
            })];
            Close.Assert(got.X, dx, 1e-4 * dx.Max(Math.Abs), "gradient of x");
        }

        double[] Deviations(double[] y) => [.. y.Where((_, i) => i % (2 * c) >= c)];
    }

    [Test]
    public void Neither_scores_nor_weights_are_stored_on_a_gpu()
    {
        const int n = 2, t = 300, c = 80, h = 4, bytes = n * t * c * sizeof(float);
        using var device = on.Open();
        long before = 0;
        _ = new Data(n, t, c, h).Forward(device, new Tape(), out _, () => before = device.Workspace.UsedBytes);
        Assert.That(device.Workspace.UsedBytes - before, on.IsCuda ? Is.LessThan(bytes / 4) : Is.GreaterThan(bytes), "but on the CPU they are");
    }

    private static double Largest(double[] values) => Math.Max(values.Max(Math.Abs), 1e-4);

    // Mean and deviation over some frames.
    private static double[] Moments(int n, int t, int c, float[] x, int[] frames, double eps = Eps)
    {
        double[] y = new double[n * 2 * c];
        for (int item = 0; item < n; item++)
        {
            for (int channel = 0; channel < c; channel++)
            {
                double[] values = [.. frames.Select(frame => (double)x[(((item * t) + frame) * c) + channel])];
                double mean = values.Average();
                y[(item * 2 * c) + channel] = mean;
                y[(item * 2 * c) + c + channel] = Math.Sqrt(Math.Max(eps, values.Average(v => (v - mean) * (v - mean))));
            }
        }

        return y;
    }

    // Output and gradients of one forward and backward pass.
    private sealed class Run
    {
        public Run(
            Device device, int n, int t, int c, int h, float[] x, float[] hidden, float[] weight, float[] bias, float[] dy, float eps = Eps)
        {
            var tape = new Tape();
            var tx = Samples.Variable(device, new Shape(n, t, c), x);
            var th = Samples.Variable(device, new Shape(n, t, h), hidden);
            var tw = Samples.Variable(device, new Shape(c, h), weight);
            var tb = Samples.Variable(device, new Shape(c), bias);
            Fill(AttentiveStatsPool.Pool(tape, tx, th, tw, tb, eps), tape, dy, tx, th, tw, tb);
        }

        public Run(Tape tape, Tensor y, float[] dy, Tensor x, Tensor hidden, Tensor weight, Tensor bias) => Fill(y, tape, dy, x, hidden, weight, bias);

        public float[] Y { get; private set; } = [];

        public float[] X { get; private set; } = [];

        public float[] Hidden { get; private set; } = [];

        public float[] Weight { get; private set; } = [];

        public float[] Bias { get; private set; } = [];

        public float[] All => [.. Y, .. X, .. Hidden, .. Weight, .. Bias];

        private void Fill(Tensor y, Tape tape, float[] dy, Tensor x, Tensor hidden, Tensor weight, Tensor bias)
        {
            Y = Samples.Read(y);
            y.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            (X, Hidden, Weight, Bias) = (Samples.Read(x.Grad!), Samples.Read(hidden.Grad!), Samples.Read(weight.Grad!), Samples.Read(bias.Grad!));
        }
    }

    private sealed class Data(int n, int t, int c, int h)
    {
        private readonly float[] _x = Samples.Normal(1, n * t * c), _dy = Samples.Normal(2, n * 2 * c), _bias = Samples.Normal(5, c);
        private readonly float[] _weight = Samples.Normal(4, c * h, MathF.Min(1, 4 / MathF.Sqrt(h)));
        private readonly float[] _hidden = [.. Samples.Normal(3, n * t * h).Select(MathF.Tanh)];

        public Run Run(Device device) => new(device, n, t, c, h, _x, _hidden, _weight, _bias, _dy);

        public Tensor Forward(Device device, Tape? tape, out Tensor x, Action? ready = null)
        {
            x = Samples.Variable(device, new Shape(n, t, c), _x);
            var hidden = Samples.Variable(device, new Shape(n, t, h), _hidden);
            var weight = Samples.Variable(device, new Shape(c, h), _weight);
            var bias = Samples.Variable(device, new Shape(c), _bias);
            ready?.Invoke();
            return AttentiveStatsPool.Pool(tape, x, hidden, weight, bias, Eps);
        }

        // The same where x and the hidden units are channels of wider tensors, and x has a gradient already.
        public (float[] Before, Run Got) RunOnViews(Device device)
        {
            var tape = new Tape();
            var (x, hidden) = (Wider(device, _x, c), Wider(device, _hidden, h));
            var weight = Samples.Variable(device, new Shape(c, h), _weight);
            var bias = Samples.Variable(device, new Shape(c), _bias);
            float[] before = Samples.Normal(7, n * t * c);
            x.GradForWrite(out _).CopyFrom(before);
            return (before, new Run(tape, AttentiveStatsPool.Pool(tape, x, hidden, weight, bias, Eps), _dy, x, hidden, weight, bias));
        }

        /// <summary>In f64, with the operands of every product rounded first.</summary>
        public (double[] Y, double[] X, double[] Hidden, double[] Weight) Reference(Precision precision)
        {
            double[] hidden = Rounding.Of(precision, _hidden), weight = Rounding.Of(precision, _weight);
            double[] y = new double[n * 2 * c], dx = new double[n * t * c];
            float[] scores = new float[n * t * c]; // Their gradient, as a product reads it.
            for (int i = 0; i < n * c; i++)
            {
                Channel(i / c, i % c);
            }

            double[] ds = Rounding.Of(precision, scores), dh = new double[n * t * h], dw = new double[c * h];
            for (int i = 0; i < ds.Length; i++)
            {
                int row = i / c, channel = i % c;
                for (int k = 0; k < h; k++)
                {
                    dh[(row * h) + k] += ds[i] * weight[(channel * h) + k];
                    dw[(channel * h) + k] += ds[i] * hidden[(row * h) + k];
                }
            }

            return (y, dx, dh, dw);

            void Channel(int item, int channel)
            {
                double[] weights = new double[t];
                for (int frame = 0; frame < t; frame++)
                {
                    weights[frame] = _bias[channel];
                    for (int k = 0; k < h; k++)
                    {
                        weights[frame] += hidden[(((item * t) + frame) * h) + k] * weight[(channel * h) + k];
                    }
                }

                double highest = weights.Max(), sum = weights.Sum(v => Math.Exp(v - highest));
                weights = [.. weights.Select(v => Math.Exp(v - highest) / sum)];
                double[] values = [.. Enumerable.Range(0, t).Select(frame => (double)_x[(((item * t) + frame) * c) + channel])];
                double mean = weights.Zip(values, (a, v) => a * v).Sum(), variance = weights.Zip(values, (a, v) => a * (v - mean) * (v - mean)).Sum();
                double deviation = Math.Sqrt(Math.Max(variance, Eps));
                y[(item * 2 * c) + channel] = mean;
                y[(item * 2 * c) + c + channel] = deviation;
                double u = _dy[(item * 2 * c) + channel], v = variance < Eps ? 0 : _dy[(item * 2 * c) + c + channel] / (2 * deviation);
                for (int frame = 0; frame < t; frame++)
                {
                    double d = values[frame] - mean;
                    int at = (((item * t) + frame) * c) + channel;
                    dx[at] = weights[frame] * (u + (2 * v * d));
                    scores[at] = (float)(weights[frame] * ((u * d) + (v * ((d * d) - variance))));
                }
            }
        }

        private Tensor Wider(Device device, float[] values, int width)
        {
            const int More = 3;
            float[] wide = Samples.Normal(8, n * t * (width + (2 * More)));
            for (int i = 0; i < values.Length; i++)
            {
                wide[(i / width * (width + (2 * More))) + More + (i % width)] = values[i];
            }

            return Samples.Variable(device, new Shape(n, t, width + (2 * More)), wide).Channels(More, width);
        }
    }
}
