using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>Means over time that the product ahead of the norm sums by the way, against those of a pass over the norm's result, by every route.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class SqueezeExciteEpilogueTests(TestDevice on)
{
    private const string Pass = "squeeze_excite_time_sums", Merge = "batch_norm_time_means";

    // Batch, frames, input and output channels, taps. Frames: a tile of 64 rows, one more, one less; a tile of warpgroups, one more, one less; several
    // of either with borders inside; one utterance of a ragged number of tiles. Channels by eights for warpgroups, frames by eights and channels by 64 for
    // their copy engine.
    private static readonly string[] Sizes =
    [
        "1 64 7 67 1", "3 65 8 33 1", "4 63 8 20 1", "3 128 5 64 1", "3 129 8 70 3", "2 127 8 20 1", "3 200 24 133 3", "2 200 64 72 3", "1 301 5 3 1",
        "2 40 8 5 3",
    ];

    [TestCaseSource(nameof(Sizes))]
    [Category("Sanitized")]
    public void Means_come_with_the_product_where_a_tile_has_one_border(string sizes)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            foreach (bool training in new[] { true, false })
            {
                var problem = new Problem(sizes) { Training = training };
                string what = $"{precision}, {onWarpgroups}, training {training}";
                var (want, got) = Both(problem, precision, onWarpgroups);
                Assert.That(got.HasMeans, Is.EqualTo(problem.Frames >= got.TileRows), what);
                AssertSame(want, got, problem, what);
                if (precision == Precision.Fp32)
                {
                    double[] means = problem.Means();
                    Close.Assert(got.Means, means, 1e-5 * Math.Max(1, means.Max(Math.Abs)), $"means in f64, {what}");
                }

                Assert.That(Run(problem, fused: true, precision, onWarpgroups).Numbers, Is.EqualTo(got.Numbers), "the same bits again");
            }
        }
    }

    // 72 tiles of 128 × 128, which are what it takes to get them; and utterances that are shorter than they.
    [TestCase("5 206 8 899 1", true)]
    [TestCase("9 127 8 899 1", false)]
    [Category("Sanitized")]
    public void Large_tiles_sum_too(string sizes, bool fused)
    {
        foreach (var precision in on.Precisions)
        {
            foreach (bool training in new[] { true, false })
            {
                var problem = new Problem(sizes) { Training = training, Backward = false };
                var (want, got) = Both(problem, precision, onWarpgroups: false);
                Assert.That(got.OfFrames, Has.Some.Contains("_128_nt"));
                Assert.That(got.HasMeans, Is.EqualTo(fused));
                AssertSame(want, got, problem, $"{precision}, training {training}");
            }
        }
    }

    // Tiles of 128 columns and, where there are 66 of them, of 256; those that threads copy and those that the copy engine does.
    [TestCase("3 200 64 72 3", 128)]
    [TestCase("2 136 64 256 1", 128)]
    [TestCase("43 200 8 256 1", 256)]
    [Category("Sanitized")]
    public void Warpgroups_sum_too(string sizes, int columns)
    {
        on.OpenHopper(new KernelId("encoder/mat_mul_wgmma", $"mat_mul_wgmma_{columns}_nt")).Dispose();
        foreach (bool bulkCopies in new[] { true, false })
        {
            foreach (bool training in new[] { true, false })
            {
                var problem = new Problem(sizes) { Training = training, BulkCopies = bulkCopies, Backward = columns == 128 };
                var (want, got) = Both(problem, Precision.Bf16, onWarpgroups: true);
                Assert.That(got.HasMeans);
                Assert.That(got.OfFrames, Has.Some.EqualTo($"mat_mul_wgmma_{columns}_{(bulkCopies ? "bulk_" : "")}nt"));
                AssertSame(want, got, problem, $"bulk copies {bulkCopies}, training {training}");
            }
        }
    }

    // A deviation of 0.01 at a mean of 10,000 or -100, where f32 has steps of 0.001; and a channel without any.
    [TestCase("3 150 24 69 3")]
    [TestCase("2 200 8 70 1")]
    [Category("Sanitized")]
    public void A_mean_far_from_zero_costs_no_digits(string sizes)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            foreach (bool training in new[] { true, false })
            {
                var problem = new Problem(sizes) { Training = training, Offset = 1e4f, WeightScale = 2e-3f, Backward = false };
                var (want, got) = Both(problem, precision, onWarpgroups);
                Assert.That(got.HasMeans);
                AssertMeans(got, problem, $"{precision}, {onWarpgroups}, training {training}");
                Close.Assert(got.Y, want.Y, 3e-2 * want.Y.Max(Math.Abs), "output of the norm");
            }
        }
    }

    // In tiles that hold rows of two utterances.
    [Test]
    public void A_NaN_stays_in_its_utterance()
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            var problem = new Problem("3 130 8 5 1") { Training = false, NaNs = true };
            var got = Run(problem, fused: true, precision, onWarpgroups);
            Assert.That(got.HasMeans);
            Assert.That(got.Means.Select((mean, i) => float.IsNaN(mean) == (i / 5 == 1)), Has.All.True, $"{precision}, {onWarpgroups}");
            Assert.That(Run(problem with { Training = true, Backward = false }, fused: true, precision, onWarpgroups).Means, Has.All.NaN);
        }
    }

    [Test]
    public void A_product_in_parts_or_known_statistics_with_a_tape_leave_the_pass()
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            foreach (var problem in new[]
            {
                new Problem("1 200 2080 9 1"), new Problem("1 200 2080 9 1") { Training = false },
                new Problem("1 200 8 9 1") { Training = false, HasTape = true },
                new Problem("1 200 8 9 1") { IsFrozen = true, HasTape = true },
            })
            {
                var (want, got) = Both(problem, precision, onWarpgroups);
                Assert.That(got.HasMeans, Is.False);
                Assert.That(got.Numbers, Is.EqualTo(want.Numbers));
                Assert.That(got.OfFrames.Contains("mat_mul_add_splits"), Is.EqualTo(problem.Inputs == 2080));
                Assert.That(got.OfGates.Count(name => name == Pass), Is.EqualTo(1));
            }
        }
    }

    [Test]
    public void Sums_of_others_are_not_used()
    {
        using var device = on.Open();
        var x = Samples.Constant(device, new Shape(2, 70, 4), Samples.Normal(1, 560));
        var w = Samples.Constant(device, new Shape(5, 4), Samples.Normal(2, 20));
        var (mean, variance) = (LayerCheck.Buffer(device, 5, 0), LayerCheck.Buffer(device, 5, 1));
        var epilogue = new BatchNormEpilogue();
        var other = Samples.Constant(device, new Shape(2, 70, 5), Samples.Normal(3, 700));
        End(Begin(x, training: true), training: true);
        Assert.That(epilogue.TakeTimeMeans(), Is.Not.Null);
        Assert.That(epilogue.TakeTimeMeans(), Is.Null, "once");
        End(Begin(x, training: false), training: false);
        Begin(x, training: true);
        Assert.That(epilogue.TakeTimeMeans(), Is.Null, "of the use before");
        End(other, training: true);
        Assert.That(epilogue.TakeTimeMeans(), Is.Null, "of another tensor");
        End(Begin(device.Workspace.Reshape(x, new Shape(140, 4)), training: true), training: true);
        Assert.That(epilogue.TakeTimeMeans(), Is.Null, "rows without time");

        // Sums of the first map are not those of the second.
        Begin(x, training: true);
        var second = Linear.Forward(null, x.Slice(0, 1), w, null, norm: epilogue);
        Assert.That(epilogue.UtteranceSums?.Shape[0], Is.EqualTo(2));
        End(second, training: true);
        Assert.That(epilogue.TakeTimeMeans()?.Shape, Is.EqualTo(new Shape(1, 5)));

        Tensor Begin(Tensor input, bool training)
        {
            BatchNorm.Prepare(epilogue, null, null, null, mean, variance, training);
            epilogue.WantTimeMeans();
            return Linear.Forward(null, input, w, null, norm: epilogue);
        }

        void End(Tensor y, bool training) => BatchNorm.Forward(null, y, null, null, mean, variance, training, epilogue: epilogue);
    }

    // Roundings of some ten layers of products one after the other. Tiles of warpgroups have 128 rows, others 64.
    [TestCase(EncoderVariant.Sslsv, 70)]
    [TestCase(EncoderVariant.Wespeaker, 136)]
    public void Ecapa_embeds_and_learns_as_on_the_cpu(EncoderVariant variant, int frames)
    {
        var spec = new EncoderSpec { Kind = "ecapa", Bins = 5, Width = 32, LastWidth = 10, EmbeddingSize = 6, Scale = 4, Bottleneck = 3, Variant = variant };
        using var cpu = TestDevice.Cpu.Open();
        foreach (bool training in new[] { true, false })
        {
            var (want, wantGradients) = Embed(cpu, training);
            foreach (var (precision, onWarpgroups) in on.Arithmetics)
            {
                string what = $"{precision}, {onWarpgroups}, training {training}";
                using var cuda = (CudaDevice)on.Open(precision: precision, onWarpgroups: onWarpgroups);
                var launched = new List<string>();
                cuda.Launching = kernel => launched.Add(kernel.Name);
                var (got, gradients) = Embed(cuda, training);
                Close.Assert(got, want, 10 * Tolerance.RoundedProduct(precision, 32) * want.Max(Math.Abs), what);
                bool fused = frames >= (launched.Any(name => name.StartsWith("mat_mul_wgmma", StringComparison.Ordinal)) ? 128 : 64);
                Assert.That(launched.Count(name => name == Merge), Is.EqualTo(fused ? 3 : 0), what);
                Assert.That(launched.Count(name => name == Pass), Is.EqualTo((fused ? 0 : 3) + (training ? 3 : 0)), what);
                if (precision == Precision.Fp32)
                {
                    Close.Assert(gradients, wantGradients, Tolerance.Gradient * (training ? wantGradients.Max(Math.Abs) : 0), $"gradients, {what}");
                }
            }
        }

        (float[] Embeddings, float[] Gradients) Embed(Device device, bool training)
        {
            var parameters = new ParameterSet(device);
            var encoder = Engine.Encoders.Encoder.Create(spec, parameters);
            parameters.Allocate(1);
            var tape = training ? new Tape() : null;
            var y = encoder.Forward(tape, Samples.Constant(device, new Shape(2, frames, 5), Samples.Normal(1, 2 * frames * 5)), training);
            float[] embeddings = Samples.Read(y);
            if (tape is not null)
            {
                y.GradForWrite(out _).CopyFrom(Samples.Normal(2, y.Count));
                parameters.ZeroGradients();
                GradientCheck.Backward(tape);
            }

            return (embeddings, [.. parameters.Trainable.Where(_ => training).SelectMany(p => Samples.Read(p.Value.Grad!))]);
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_recorded_step_gives_the_same(bool training)
    {
        var problem = new Problem("2 70 8 5 1") { Training = training };
        using var device = (CudaDevice)on.Open();
        var layers = new Layers(device, problem);
        var tape = training ? new Tape() : null;
        Tensor x = null!;
        Tensor[] results = [];
        var work = new ReplayedWork(device, () =>
        {
            tape?.Clear();
            var y = layers.Frames.ForwardWithMeans(tape, x, training, out var means);
            var z = layers.Excite(tape, y, means);
            if (tape is not null)
            {
                device.Fill(z.GradForWrite(out _), 1f);
                tape.BackwardFromGradients();
            }

            results = training ? [y, means!, z, x.Grad!] : [y, means!, z];
        });
        for (int step = 0; step < 5; step++)
        {
            float[] values = Samples.Normal(step, problem.Input.Count);
            device.Workspace.Reset();
            work.Begin();
            x = Samples.Variable(device, problem.Input, values);
            work.Run(0);
            float[][] got = [.. results.Select(Samples.Read)];
            Assert.That(got[1], Is.EqualTo(Averages(got[0], problem)).Within(5e-6), $"step {step}");
            using var other = on.Open();
            var otherLayers = new Layers(other, problem);
            var otherTape = training ? new Tape() : null;
            var otherX = Samples.Variable(other, problem.Input, values);
            var otherY = otherLayers.Frames.ForwardWithMeans(otherTape, otherX, training, out var otherMeans);
            var otherZ = otherLayers.Excite(otherTape, otherY, otherMeans);
            Assert.That(got[2], Is.EqualTo(Samples.Read(otherZ)), $"step {step}");
            if (otherTape is not null)
            {
                other.Fill(otherZ.GradForWrite(out _), 1f);
                otherTape.BackwardFromGradients();
                Assert.That(got[3], Is.EqualTo(Samples.Read(otherX.Grad!)), $"step {step}");
            }
        }

        Assert.That(device.Recorder.Replays, Is.EqualTo(2));
    }

    private static void AssertSame(Result want, Result got, Problem problem, string what)
    {
        Assert.That(want.OfGates.Count(name => name == Pass), Is.EqualTo(1));
        Assert.That(got.OfGates.Count(name => name == Pass), Is.EqualTo(got.HasMeans ? 0 : 1), what);
        Assert.That(got.OfFrames.Count(name => name == Merge), Is.EqualTo(got.HasMeans ? 1 : 0), what);
        Assert.That(want.OfFrames, Has.None.EqualTo(Merge), "nobody asked");
        AssertMeans(got, problem, what);

        // On warpgroups moments come by utterance, so the norm's statistics may differ in their last bits, and a gradient then rounds the other way.
        double limitOfGradient = what.StartsWith("Fp32", StringComparison.Ordinal) ? 2e-5 : 3e-3;
        Close.Assert(got.Y, want.Y, 1e-5 * want.Y.Max(Math.Abs), $"output of the norm, {what}");
        Close.Assert(got.Z, want.Z, 1e-5 * want.Z.Max(Math.Abs), $"output, {what}");
        Close.Assert(got.Gradients, want.Gradients, want.Gradients.Length == 0 ? 0 : limitOfGradient * want.Gradients.Max(Math.Abs), $"gradients, {what}");
    }

    private static void AssertMeans(Result got, Problem problem, string what)
    {
        if (got.HasMeans)
        {
            Close.Assert(got.Means, Averages(got.Y, problem), 1e-6 * got.Y.Max(Math.Abs), $"means, {what}");
        }
    }

    private static double[] Averages(float[] y, Problem p) =>
    [
        .. from n in Enumerable.Range(0, p.Batch)
           from c in Enumerable.Range(0, p.Outputs)
           select Enumerable.Range(0, p.Frames).Average(t => (double)y[(((n * p.Frames) + t) * p.Outputs) + c]),
    ];

    private (Result Want, Result Got) Both(Problem problem, Precision precision, bool onWarpgroups) =>
        (Run(problem, false, precision, onWarpgroups), Run(problem, true, precision, onWarpgroups));

    private Result Run(Problem p, bool fused, Precision precision, bool onWarpgroups)
    {
        using var device = (CudaDevice)on.Open(precision: precision, onWarpgroups: onWarpgroups);
        var launched = new List<string>();
        device.UsesBulkCopies = p.BulkCopies;
        var layers = new Layers(device, p);
        device.Launching = kernel => launched.Add(kernel.Name);
        var x = Samples.Variable(device, p.Input, p.X);
        var tape = p.HasTape || (p.Training && p.Backward) ? new Tape() : null;
        Tensor? means = null;
        var y = fused ? layers.Frames.ForwardWithMeans(tape, x, p.Training, out means) : layers.Frames.Forward(tape, x, p.Training);
        string[] ofFrames = [.. launched];
        launched.Clear();
        var z = layers.Excite(tape, y, means);
        string[] ofGates = [.. launched];
        float[] ofY = Samples.Read(y), ofZ = Samples.Read(z), ofMeans = means is null ? [.. Averages(ofY, p).Select(v => (float)v)] : Samples.Read(means);
        float[] gradients = [];
        if (tape is not null)
        {
            z.GradForWrite(out _).CopyFrom(Samples.Normal(6, z.Count));
            layers.Parameters.ZeroGradients();
            GradientCheck.Backward(tape);
            gradients = [.. Samples.Read(x.Grad!), .. layers.Parameters.Trainable.SelectMany(parameter => Samples.Read(parameter.Value.Grad!))];
        }

        return new Result(means is not null, ofMeans, ofY, ofZ, gradients, ofFrames, ofGates);
    }

    private sealed record Result(
        bool HasMeans, float[] Means, float[] Y, float[] Z, float[] Gradients, IReadOnlyList<string> OfFrames, IReadOnlyList<string> OfGates)
    {
        public float[] Numbers => [.. Means, .. Y, .. Z, .. Gradients];

        public int TileRows => OfFrames.Any(Has128Rows) ? 128 : 64;

        private static bool Has128Rows(string kernel) => kernel.Contains("wgmma", StringComparison.Ordinal) || kernel.Contains("_128_", StringComparison.Ordinal);
    }

    // A frame layer, then gates.
    private sealed class Layers
    {
        private readonly LinearLayer _reduce, _expand;

        public Layers(Device device, Problem p)
        {
            Parameters = new ParameterSet(device);
            Frames = new FrameBlock(Parameters, "frames", p.Inputs, p.Outputs, p.Taps, dilation: 2, Padding.Zero, ActivationKind.LeakyRelu);
            (_reduce, _expand) = (new LinearLayer(Parameters, "reduce", p.Outputs, 4), new LinearLayer(Parameters, "expand", 4, p.Outputs));
            Parameters.Allocate(7);
            Frames.Convolution.Weight.Value.CopyFrom(p.Weight);
            Frames.Convolution.Bias.Value.CopyFrom(p.Bias);
            Frames.Norm.Gamma!.Value.CopyFrom(p.Gamma);
            Frames.Norm.Beta!.Value.CopyFrom(p.Beta);
            Frames.Norm.RunningMean.Value.CopyFrom(p.Mean);
            Frames.Norm.RunningVariance.Value.CopyFrom(p.Variance);
            Frames.Norm.RunningMean.IsFrozen = Frames.Norm.RunningVariance.IsFrozen = p.IsFrozen;
        }

        public ParameterSet Parameters { get; }

        public FrameBlock Frames { get; }

        public Tensor Excite(Tape? tape, Tensor y, Tensor? means)
        {
            var residual = y.Device.Workspace.Rent(y.Shape);
            y.Device.Fill(residual, 0.5f);
            return SqueezeExcite.Forward(tape, y, means, _reduce.Weight, _reduce.Bias, _expand.Weight, _expand.Bias, residual, null);
        }
    }

    private sealed record Problem
    {
        private const double Eps = 1e-5;

        public Problem(string sizes)
        {
            int[] s = [.. sizes.Split(' ').Select(int.Parse)];
            (Batch, Frames, Inputs, Outputs, Taps) = (s[0], s[1], s[2], s[3], s[4]);
        }

        public int Batch { get; }

        public int Frames { get; }

        public int Inputs { get; }

        public int Outputs { get; }

        public int Taps { get; }

        public bool Training { get; init; } = true;

        public bool Backward { get; init; } = true;

        public bool HasTape { get; init; }

        public bool IsFrozen { get; init; }

        public bool BulkCopies { get; init; } = true;

        public bool NaNs { get; init; }

        public float WeightScale { get; init; } = 0.3f;

        public float Offset { get; init; }

        public Shape Input => new(Batch, Frames, Inputs);

        // Utterances and their frames differ in their means, so that a row of another one shows.
        public float[] X =>
        [
            .. Samples.Normal(1, Input.Count).Select((v, i) =>
                NaNs && i / Inputs / Frames == 1 ? float.NaN : v + (0.5f * (i / Inputs / Frames)) + ((float)(i / Inputs % Frames) / Frames)),
        ];

        // The last channel is constant.
        public float[] Weight => [.. Samples.Normal(2, Outputs * Taps * Inputs, WeightScale).Select((v, i) => i / (Taps * Inputs) == Outputs - 1 ? 0f : v)];

        public float[] Bias => [.. Samples.Normal(3, Outputs).Select((v, c) => v + (c % 2 == 0 ? Offset : -Offset))];

        public float[] Gamma => Samples.Normal(4, Outputs);

        public float[] Beta => Samples.Normal(5, Outputs);

        public float[] Mean => [.. Bias.Select(v => v > 0f ? v : 0.01f * v)];

        public float[] Variance => [.. Samples.Normal(8, Outputs).Select(v => 0.3f + Math.Abs(v))];

        /// <summary>Of the norm's result over time, in f64.</summary>
        public double[] Means()
        {
            var x = new Frames(Batch, Frames, Inputs, Samples.ToDouble(X));
            double[] gamma = Samples.ToDouble(Gamma), beta = Samples.ToDouble(Beta), mean = Samples.ToDouble(Mean), variance = Samples.ToDouble(Variance);
            var v = EncoderReference.Conv1d(x, Samples.ToDouble(Weight), Samples.ToDouble(Bias), Taps, 2, Padding.Zero);
            var y = Training
                ? EncoderReference.BatchNorm(v, gamma, beta, EncoderReference.LeakyRelu)
                : Support.Frames.Make(v.N, v.T, v.C, (n, t, c) =>
                    ((EncoderReference.LeakyRelu(v[n, t, c]) - mean[c]) / Math.Sqrt(variance[c] + Eps) * gamma[c]) + beta[c]);
            return [.. Support.Frames.Make(y.N, 1, y.C, (n, _, c) => Enumerable.Range(0, y.T).Average(t => y[n, t, c])).V];
        }
    }
}
