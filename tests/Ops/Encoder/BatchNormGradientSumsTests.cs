using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Encoders;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>The sums that a norm's backward step needs, from the product that makes the gradient of its output, by every route of that product.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class BatchNormGradientSumsTests(TestDevice on)
{
    private const string OwnPass = "batch_norm_gradient_partial";

    // Kind, batch, frames, channels of the norm and of the map behind it, taps, dilation, padding, first channel of the view that the norm reads: ragged over
    // several tiles of 64 rows and columns; odd channels, and pairs that are not aligned; two rows; whole tiles; channels by eights and by 64 for warpgroups and
    // their copy engine.
    private static readonly TestCaseData[] Sizes =
    [
        new("linear 1 150 70 20 1 1 valid 0", ActivationKind.Relu), new("linear 1 70 5 20 1 1 valid 1", ActivationKind.LeakyRelu),
        new("linear 2 67 130 8 1 1 valid 0", null), new("linear 1 2 3 4 1 1 valid 0", null), new("conv1d 3 50 67 7 3 1 valid 0", ActivationKind.Relu),
        new("conv1d 3 61 24 40 3 2 zero 3", ActivationKind.LeakyRelu), new("conv1d 4 40 72 64 3 3 valid 2", ActivationKind.Relu),
        new("conv1d 2 64 64 4 1 1 valid 0", ActivationKind.Relu), new("conv1d 3 48 133 64 3 2 zero 0", ActivationKind.LeakyRelu),
    ];

    [TestCaseSource(nameof(Sizes))]
    [Category("Sanitized")]
    public void Sums_come_with_the_product_behind(string sizes, ActivationKind? before)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            foreach (bool bulkCopies in onWarpgroups ? [true, false] : new[] { true })
            {
                var problem = new Problem(sizes) { Before = before, BulkCopies = bulkCopies };
                var got = AssertFused(problem, precision, onWarpgroups, $"{precision}, {onWarpgroups}, {bulkCopies}");
                Assert.That(Run(problem, fused: true, precision, onWarpgroups).Numbers, Is.EqualTo(got.Numbers), "the same bits again");
                AssertRoute(problem, got, onWarpgroups);
            }
        }
    }

    // 72 tiles of 128 × 128, which are what it takes to get them.
    [Test]
    [Category("Sanitized")]
    public void Large_tiles_sum_too()
    {
        foreach (var precision in on.Precisions)
        {
            var got = AssertFused(new Problem("linear 1 1029 899 8 1 1 valid 0") { Before = ActivationKind.Relu }, precision, false, $"{precision}");
            Assert.That(got.Launched, Has.Some.Contains("_128_nn"));
        }
    }

    // 66 tiles of 128 × 256, likewise.
    [Test]
    [Category("Sanitized")]
    public void Wide_tiles_of_warpgroups_sum_too([Values] bool bulkCopies)
    {
        using var hopper = on.OpenHopper(new KernelId("encoder/mat_mul_wgmma", "mat_mul_wgmma_256_nn"));
        var problem = new Problem("linear 1 4100 500 8 1 1 valid 0") { Before = ActivationKind.Relu, BulkCopies = bulkCopies };
        var got = AssertFused(problem, Precision.Bf16, true, $"{bulkCopies}");
        Assert.That(got.Launched, Has.Some.EqualTo(bulkCopies ? "mat_mul_wgmma_256_bulk_nn" : "mat_mul_wgmma_256_nn"));
    }

    // A deviation of 0.01 at a mean of ±10,000, where f32 has steps of 0.001.
    [TestCase("linear 1 150 70 20 1 1 valid 0")]
    [TestCase("conv1d 3 61 24 40 3 2 zero 0")]
    [Category("Sanitized")]
    public void A_mean_far_from_zero_does_not_cost_the_sums(string sizes)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            AssertFused(new Problem(sizes) { Before = ActivationKind.LeakyRelu, Offset = 1e4f, Deviation = 1e-2f }, precision, onWarpgroups, $"{precision}, {onWarpgroups}");
        }
    }

    [Test]
    public void Known_statistics_are_subtracted_where_they_are_used([Values] bool frozen)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            var problem = new Problem("linear 1 150 70 24 1 1 valid 0") { Before = ActivationKind.Relu, Training = frozen, IsFrozen = frozen };
            var got = AssertFused(problem, precision, onWarpgroups, $"{precision}, {onWarpgroups}");
            Assert.That(got.Mean, Has.All.EqualTo(0.4f), "of the batches before");
        }
    }

    // Mirrored rows are folded after the product; parts of k are added by another kernel.
    [TestCase("conv1d 3 50 7 7 3 2 reflect 0", "conv1d_fold_mirror")]
    [TestCase("linear 1 13 9 2080 1 1 valid 0", "mat_mul_add_splits")]
    public void Products_that_are_not_the_gradient_leave_the_sums_to_the_norm(string sizes, string kernel)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            var problem = new Problem(sizes) { Before = ActivationKind.Relu };
            Result want = Run(problem, false, precision, onWarpgroups), got = Run(problem, true, precision, onWarpgroups);
            Assert.That(got.Numbers, Is.EqualTo(want.Numbers));
            Assert.That(got.Launched, Is.EqualTo(want.Launched));
            Assert.That(got.Launched, Has.One.EqualTo(OwnPass).And.One.EqualTo(kernel));
        }
    }

    [TestCase(5, 3)]
    [TestCase(70, 17)]
    public void Gradients_match_differences(int rows, int channels)
    {
        const int outputs = 4;
        float[] weight = Samples.Normal(4, outputs * channels);
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(rows, channels), Samples.Normal(1, rows * channels))],
            [("gamma", new Shape(channels), Samples.Normal(2, channels)), ("beta", new Shape(channels), Samples.Normal(3, channels))],
            (tape, x, p) =>
            {
                var y = BatchNorm.Forward(
                    tape, x[0], p[0], p[1], LayerCheck.Buffer(device, channels, 0), LayerCheck.Buffer(device, channels, 1), training: true,
                    before: ActivationKind.LeakyRelu);
                return Linear.Forward(tape, y, Samples.Constant(device, new Shape(outputs, channels), weight), null);
            },
            v =>
            {
                double[] y = EncoderReference.BatchNorm(new Frames(1, rows, channels, v[0]), v[1], v[2], EncoderReference.LeakyRelu).V;
                return [.. Enumerable.Range(0, rows * outputs).Select(i =>
                    Enumerable.Range(0, channels).Sum(c => y[(i / outputs * channels) + c] * weight[(i % outputs * channels) + c]))];
            });
    }

    // Four of five frame layers have a convolution behind their norm, and the segment layer's norm the embedding.
    [TestCase(EncoderVariant.Sslsv)]
    [TestCase(EncoderVariant.Wespeaker)]
    public void A_training_step_of_a_TDNN_has_the_gradients_of_the_CPU(EncoderVariant variant)
    {
        var spec = new EncoderSpec { Kind = "tdnn", Bins = 5, Width = 12, EmbeddingSize = 3, Variant = variant };
        var launched = new List<string>();
        using var cpu = TestDevice.Cpu.Open();
        using var cuda = (CudaDevice)on.Open();
        cuda.Launching = kernel => launched.Add(kernel.Name);
        float[][] want = Step(cpu), got = Step(cuda);
        int norms = launched.Count(name => name == "batch_norm_gradient_combine");
        Assert.That((norms, launched.Count(name => name == OwnPass)), Is.EqualTo((spec.Segment ? 6 : 5, 1)));
        for (int i = 0; i < want.Length; i++)
        {
            Close.Assert(got[i], want[i], 1e-4 * Math.Max(want[i].Max(Math.Abs), 0.05), $"gradient {i}");
        }

        float[][] Step(Device device)
        {
            var parameters = new ParameterSet(device);
            var encoder = Engine.Encoders.Encoder.Create(spec, parameters);
            parameters.Allocate(7);
            parameters.ZeroGradients();
            var x = Samples.Variable(device, new Shape(6, 45, spec.Bins), Samples.Normal(3, 6 * 45 * spec.Bins));
            var tape = new Tape();
            var y = encoder.Forward(tape, x, training: true);
            y.GradForWrite(out _).CopyFrom(Samples.Normal(4, y.Count));
            GradientCheck.Backward(tape);
            return [Samples.Read(x.Grad!), .. parameters.Trainable.Select(p => Samples.Read(p.Value.Grad!))];
        }
    }

    [Test]
    public void A_replayed_step_gives_the_bits_of_one_that_is_not()
    {
        const int rows = 150, channels = 7;
        using var device = (CudaDevice)on.Open();
        Tensor x = null!, weight = null!, dx = null!;
        var (mean, variance) = (LayerCheck.Buffer(device, channels, 0), LayerCheck.Buffer(device, channels, 1));
        int ownPasses = 0;
        device.Launching = kernel => ownPasses += kernel.Name == OwnPass ? 1 : 0;
        var tape = new Tape();
        var work = new ReplayedWork(device, () => dx = Step(device, tape, x, weight, mean, variance));
        for (int step = 0; step < 5; step++)
        {
            float[] values = Samples.Normal(step, rows * channels), weights = Samples.Normal(step + 10, 4 * channels);
            device.Workspace.Reset();
            work.Begin();
            x = Samples.Variable(device, new Shape(rows, channels), values);
            weight = Samples.Constant(device, new Shape(4, channels), weights);
            work.Run(0);
            float[] got = Samples.Read(dx);
            using var other = on.Open();
            var want = Step(
                other, new Tape(), Samples.Variable(other, x.Shape, values), Samples.Constant(other, weight.Shape, weights), LayerCheck.Buffer(other, channels, 0),
                LayerCheck.Buffer(other, channels, 1));
            Assert.That(got, Is.EqualTo(Samples.Read(want)), $"step {step}");
        }

        Assert.That((device.Recorder.Replays, ownPasses), Is.EqualTo((2, 0)));

        static Tensor Step(Device device, Tape tape, Tensor x, Tensor weight, Parameter mean, Parameter variance)
        {
            tape.Clear();
            var y = BatchNorm.Forward(tape, x, null, null, mean, variance, training: true, before: ActivationKind.Relu);
            device.Fill(Linear.Forward(tape, y, weight, null).GradForWrite(out _), 1f);
            tape.BackwardFromGradients();
            return x.Grad!;
        }
    }

    // Sums against those of the stored gradient in f64, tile by tile and whole, and the gradients against those of the norm's own pass.
    private Result AssertFused(Problem problem, Precision precision, bool onWarpgroups, string what)
    {
        Result want = Run(problem, false, precision, onWarpgroups), got = Run(problem, true, precision, onWarpgroups);
        Assert.That(got.Launched, Has.None.EqualTo(OwnPass), what);
        Assert.That(want.Launched.Where(name => name != OwnPass), Is.EqualTo(got.Launched), what);
        Assert.That(want.Launched.Count - got.Launched.Count, Is.EqualTo(1), what);
        Assert.That(got.Dy, Is.EqualTo(want.Dy), "what the product stores");
        float[] input = problem.X;
        int rows = problem.Rows, channels = problem.Channels, runs = got.Sums.Length / (2 * channels);
        int each = new[] { 64, 128 }.First(tile => CudaGemm.DivideUp(rows, tile) == runs);
        for (int c = 0; c < channels; c++)
        {
            for (int run = 0; run < runs; run++)
            {
                AssertSums(got.Sums[2 * run * channels + c], got.Sums[(((2 * run) + 1) * channels) + c], c, run * each, Math.Min(rows, (run + 1) * each), $"tile {run}");
            }

            AssertSums(got.Dbeta[c], got.Dgamma[c] / got.Inverse[c], c, 0, rows, "all tiles");
        }

        Close.Assert(got.Dx, want.Dx, 1e-5 * want.Dx.Max(Math.Abs), $"gradient of x, {what}");
        return got;

        void AssertSums(double plain, double centred, int c, int from, int to, string of)
        {
            double plainWanted = 0, centredWanted = 0, plainSize = 0, centredSize = 0, largest = 0;
            for (int row = from; row < to; row++)
            {
                float x = input[(row * channels) + c], dy = got.Dy[(row * channels) + c];
                float a = problem.Before is null || x > 0f ? x : problem.Before == ActivationKind.Relu ? 0f : x * 0.01f;
                double term = (double)dy * ((double)a - got.Mean[c]);
                (plainWanted, centredWanted) = (plainWanted + dy, centredWanted + term);
                (plainSize, centredSize) = (plainSize + Math.Abs(dy), centredSize + Math.Abs(term));
                largest = Math.Max(largest, Math.Abs(a));
            }

            // A compiler may round the activation and the difference at once.
            double limit = 8 * Tolerance.Epsilon;
            Assert.That(plain, Is.EqualTo(plainWanted).Within(limit * plainSize), $"Σ dy of channel {c}, {of}, {what}");
            Assert.That(
                centred, Is.EqualTo(centredWanted).Within((limit * centredSize) + (2 * Tolerance.Epsilon * largest * plainSize)),
                $"Σ dy (a − μ) of channel {c}, {of}, {what}");
        }
    }

    // That warpgroups compute what suits them, with tiles that the copy engine brings where it can.
    private void AssertRoute(Problem problem, Result got, bool onWarpgroups)
    {
        if (onWarpgroups && problem.SuitsWarpgroups && HasWarpgroups())
        {
            Assert.That(got.Launched, Has.One.EqualTo(problem.BulkCopies && problem.SuitsBulkCopies ? "mat_mul_wgmma_128_bulk_nn" : "mat_mul_wgmma_128_nn"));
        }
    }

    private bool HasWarpgroups()
    {
        using var device = (CudaDevice)on.Open(precision: Precision.Bf16, onWarpgroups: true);
        return WarpgroupGemm.IsOn(device) && device.Driver.HasTensorMaps && device.Has(new KernelId("encoder/mat_mul_wgmma", "mat_mul_wgmma_128_nn"));
    }

    private Result Run(Problem p, bool fused, Precision precision, bool onWarpgroups)
    {
        using var device = (CudaDevice)on.Open(precision: precision, onWarpgroups: onWarpgroups);
        device.UsesBulkCopies = p.BulkCopies;
        int channels = p.Channels;
        var x = Samples.Variable(device, new Shape(p.Batch, p.Frames, channels + (p.First > 0 ? 9 : 0)), p.Wide);
        if (p.First > 0)
        {
            x = x.Channels(p.First, channels);
        }

        var weight = p.Kind == "linear" ? new Shape(p.Outputs, channels) : new Shape(p.Outputs, p.Taps, channels);
        var w = Samples.Constant(device, weight, Samples.Normal(2, weight.Count, 0.3f));
        var parameters = LayerCheck.Parameters(
            device, ("gamma", new Shape(channels), Samples.Normal(4, channels)), ("beta", new Shape(channels), Samples.Normal(5, channels)));
        var (mean, variance) = (LayerCheck.Buffer(device, channels, 0.4f), LayerCheck.Buffer(device, channels, 0.3f));
        mean.IsFrozen = variance.IsFrozen = p.IsFrozen;

        // Two tapes, so that the gradient between can be read before the norm takes its memory.
        Tape ahead = new(), behind = new();
        var y = BatchNorm.Forward(ahead, x, parameters[0], parameters[1], mean, variance, p.Training, before: p.Before);
        float[] statistics = Samples.Read(y.WantedSums!.Statistics);
        if (!fused)
        {
            y.WantedSums = null;
        }

        var z = p.Kind == "linear" ? Linear.Forward(behind, y, w, null) : Conv1d.Forward(behind, y, w, null, p.Dilation, p.Padding);
        z.GradForWrite(out _).CopyFrom(Samples.Normal(6, z.Count));
        var launched = new List<string>();
        device.Launching = kernel => launched.Add(kernel.Name);
        GradientCheck.Backward(behind);
        float[] dy = Samples.Read(y.Grad!), sums = y.Grad!.RunSums is { } left ? Samples.Read(left) : [];
        GradientCheck.Backward(ahead);
        return new Result(
            dy, sums, statistics[..channels], statistics[channels..], Samples.Read(x.Grad!), Samples.Read(parameters[0].Value.Grad!),
            Samples.Read(parameters[1].Value.Grad!), launched);
    }

    private sealed record Result(
        float[] Dy, float[] Sums, float[] Mean, float[] Inverse, float[] Dx, float[] Dgamma, float[] Dbeta, IReadOnlyList<string> Launched)
    {
        public float[] Numbers => [.. Dy, .. Sums, .. Dx, .. Dgamma, .. Dbeta];
    }

    private sealed record Problem
    {
        public Problem(string sizes)
        {
            string[] parts = sizes.Split(' ');
            int[] s = [.. parts.Skip(1).Where((_, i) => i != 6).Select(int.Parse)];
            (Kind, Batch, Frames, Channels, Outputs, Taps, Dilation, First) = (parts[0], s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
            Padding = Enum.Parse<Padding>(parts[7], ignoreCase: true);
        }

        public string Kind { get; }

        public int Batch { get; }

        public int Frames { get; }

        public int Channels { get; }

        public int Outputs { get; }

        public int Taps { get; }

        public int Dilation { get; }

        public Padding Padding { get; }

        public int First { get; }

        public ActivationKind? Before { get; init; }

        public bool Training { get; init; } = true;

        public bool IsFrozen { get; init; }

        public bool BulkCopies { get; init; } = true;

        public float Offset { get; init; }

        public float Deviation { get; init; } = 1f;

        public int Rows => Batch * Frames;

        // Channels of either sign.
        public float[] X => [.. Samples.Normal(1, Rows * Channels, Deviation).Select((v, i) => v + (i % Channels % 2 == 0 ? Offset : -Offset))];

        public float[] Wide
        {
            get
            {
                int width = Channels + (First > 0 ? 9 : 0);
                float[] x = X, wide = LayerCheck.Constant(Rows * width, float.NaN);
                for (int row = 0; row < Rows; row++)
                {
                    x.AsSpan(row * Channels, Channels).CopyTo(wide.AsSpan((row * width) + First));
                }

                return wide;
            }
        }

        // Copies of 8 channels must lie under one tap, those of the copy engine of 64 and within 8 frames of an utterance.
        public bool SuitsWarpgroups => Taps == 1 || Outputs % 8 == 0;

        public bool SuitsBulkCopies => Kind == "linear" || (Frames % 8 == 0 && (Taps == 1 || Outputs % 64 == 0));
    }
}
