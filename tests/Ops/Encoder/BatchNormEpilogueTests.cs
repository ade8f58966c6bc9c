using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>A map that works for the batch norm behind it gives what the two give one after the other, by every route of the product.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class BatchNormEpilogueTests(TestDevice on)
{
    private const string Convolution = "conv1d", Maps = "conv2d", ColumnSums = "linear_column_sums";

    // Kind, batch, frames (height), width of maps, input and output channels, taps, first channel of the view that is written: ragged over several tiles
    // of 64 rows and columns; one ragged tile; whole tiles; channels by eights for warpgroups, frames by eights and channels by 64 for their copy engine.
    private static readonly TestCaseData[] Sizes =
    [
        new("conv1d 3 50 1 7 67 3 0", ActivationKind.Relu), new("conv1d 1 9 1 5 3 1 2", null), new("conv1d 2 64 1 4 64 1 0", ActivationKind.Relu),
        new("conv1d 3 61 1 24 133 3 3", ActivationKind.LeakyRelu), new("conv1d 4 40 1 64 72 3 0", ActivationKind.Relu),
        new("linear 1 70 1 20 5 1 1", ActivationKind.LeakyRelu), new("linear 2 67 1 8 130 1 0", null), new("conv2d 2 5 13 8 21 3 0", ActivationKind.Relu),
        new("conv2d 2 9 17 3 70 3 5", null), new("conv2d 4 8 16 64 21 3 0", ActivationKind.Relu),
    ];

    // The last one's patches, of 5 rows of 7 windows in 3 maps, have gaps.
    [TestCaseSource(nameof(Sizes))]
    [TestCase("conv2d 3 5 13 64 21 3 5", ActivationKind.Relu)]
    public void In_inference_nothing_is_left_of_the_norm(string sizes, ActivationKind? before)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            var problem = new Problem(sizes) { Before = before, Training = false };
            var (want, got) = Both(problem, precision, onWarpgroups);

            // The same operations in the same order; compilers may fuse them differently.
            Close.Assert(got.Y, want.Y, 4 * Tolerance.Epsilon * Math.Max(1, want.Y.Max(Math.Abs)), $"{precision}, {onWarpgroups}");
            Assert.That(want.Launched.Count(name => name == "batch_norm_apply"), Is.EqualTo(on.IsCuda ? 1 : 0));
            Assert.That(got.Launched, Has.None.StartsWith("batch_norm_apply").And.None.StartsWith("batch_norm_recall"));
            AssertRoute(problem, got, onWarpgroups);
        }
    }

    [TestCaseSource(nameof(Sizes))]
    [Category("Sanitized")]
    public void In_training_statistics_come_with_the_product(string sizes, ActivationKind? before)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            foreach (bool bulkCopies in onWarpgroups ? [true, false] : new[] { true })
            {
                var problem = new Problem(sizes) { Before = before, BulkCopies = bulkCopies };
                var (want, got) = Both(problem, precision, onWarpgroups);
                AssertSame(want, got, $"{precision}, {onWarpgroups}", precision);
                Assert.That(got.Launched, Has.None.EqualTo("batch_norm_partial").And.None.EqualTo(ColumnSums));
                Assert.That(want.Launched.Count(name => name == ColumnSums), Is.EqualTo(on.IsCuda ? 1 : 0));
                AssertRoute(problem, got, onWarpgroups);
                var again = Run(problem, fused: true, precision, onWarpgroups);
                Assert.That(again.Numbers, Is.EqualTo(got.Numbers), "the same bits again");
            }
        }
    }

    // 72 tiles of 128 × 128, which are what it takes to get them.
    [Test]
    [Category("Sanitized")]
    public void Large_tiles_measure_too()
    {
        Assume.That(on.IsCuda, "skipped, optional: the CPU has one kind of tile");
        foreach (var precision in on.Precisions)
        {
            var problem = new Problem("linear 1 1029 1 8 899 1 0") { Before = ActivationKind.Relu, Backward = false };
            var (want, got) = Both(problem, precision, onWarpgroups: false);
            Assert.That(got.Launched, Has.Some.Contains("_128_nt").And.None.EqualTo("batch_norm_partial"));
            AssertSame(want, got, $"{precision}");
        }
    }

    [Test]
    public void A_product_in_parts_leaves_the_statistics_to_the_norm()
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            var problem = new Problem("linear 1 13 1 2080 9 1 0") { Before = ActivationKind.Relu };
            var (want, got) = Both(problem, precision, onWarpgroups);
            Assert.That(got.Y, Is.EqualTo(want.Y));
            foreach (string kernel in new[] { "mat_mul_add_splits", "batch_norm_partial" })
            {
                Assert.That(got.Launched.Count(name => name == kernel), Is.EqualTo(on.IsCuda ? 1 : 0), kernel);
            }

            // Its inference does not need them: the parts are normalised when they are added.
            problem = problem with { Training = false };
            (want, got) = Both(problem, precision, onWarpgroups);
            Close.Assert(got.Y, want.Y, 4 * Tolerance.Epsilon * want.Y.Max(Math.Abs), "inference");
        }
    }

    // A deviation of 0.01 at a mean of ±10,000, where f32 has steps of 0.001; and a channel without any.
    [TestCase("conv1d 3 70 1 24 69 3 0")]
    [TestCase("linear 1 150 1 8 70 1 0")]
    [TestCase("conv2d 2 9 11 8 40 3 0")]
    [Category("Sanitized")]
    public void A_mean_far_from_zero_does_not_cost_the_variance(string sizes)
    {
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            var problem = new Problem(sizes) { Before = ActivationKind.LeakyRelu, WeightScale = 2e-3f, Offset = 1e4f, Backward = false };
            var (want, got) = Both(problem, precision, onWarpgroups);
            AssertSame(want, got, $"{precision}, {onWarpgroups}", limitOfOutput: 3e-2);
            int constant = problem.Outputs / 2, channels = problem.Outputs;
            Assert.That(got.Variance[constant], Is.Zero);
            Assert.That(got.Variance.Where((_, c) => c % 2 == 0 && c != constant), Has.All.InRange(1e-6f, 1e-2f));
            for (int c = 0; c < channels; c++)
            {
                double[] column = [.. got.Product.Where((_, i) => i % channels == c).Select(v => v > 0f ? v : (double)(v * 0.01f))];
                double mean = column.Average(), variance = column.Sum(v => (v - mean) * (v - mean)) / (column.Length - 1);
                Assert.That(got.Mean[c], Is.EqualTo(mean).Within(1e-7 * Math.Abs(mean)), "running mean");
                Assert.That(got.Variance[c], Is.EqualTo(variance).Within(1e-5 * variance), "running variance");
            }

            var (wantInference, gotInference) = Both(problem with { Training = false }, precision, onWarpgroups);
            Close.Assert(gotInference.Y, wantInference.Y, 4 * Tolerance.Epsilon * wantInference.Y.Max(Math.Abs), "inference");
        }
    }

    [Test]
    public void A_NaN_is_not_hidden()
    {
        var problem = new Problem("linear 1 70 1 4 5 1 0") { Before = ActivationKind.Relu, Backward = false, Offset = float.NaN };
        Assert.That(Run(problem, fused: true).Variance, Has.All.NaN);
        Assert.That(Run(problem with { Training = false }, fused: true).Y, Has.All.NaN);
    }

    [Test]
    public void Misfits_are_refused_and_moments_of_others_are_not_used()
    {
        using var device = on.Open();
        var x = Samples.Constant(device, new Shape(9, 4), Samples.Normal(1, 36));
        var (w5, w3) = (Samples.Constant(device, new Shape(5, 4), Samples.Normal(2, 20)), Samples.Constant(device, new Shape(3, 4), Samples.Normal(2, 12)));
        var (mean, variance) = (LayerCheck.Buffer(device, 5, 0), LayerCheck.Buffer(device, 5, 1));
        var epilogue = new BatchNormEpilogue();
        BatchNorm.Prepare(epilogue, null, null, null, mean, variance, training: false);
        Assert.That(epilogue.Normalizes);
        var done = Linear.Forward(null, x, w5, null, norm: epilogue);
        var like = Samples.Constant(device, done.Shape, Samples.Read(done));
        Refuses(() => End(done, output: like), "output");
        Refuses(() => End(done, tape: new Tape()), "same tape, training and activation");
        Refuses(() => End(done, training: true), "same tape, training and activation");
        Refuses(() => End(done, before: ActivationKind.Relu), "same tape, training and activation");
        Refuses(() => End(like), "map that makes x");
        Assert.That(
            () => BatchNorm.Forward(null, done, null, LayerCheck.Buffer(device, 4, 0), mean, variance, false, epilogue: epilogue), Throws.TypeOf<ShapeException>());
        Assert.That(End(done), Is.SameAs(done));
        Refuses(() => End(done), "Prepare");
        Refuses(() => Linear.Forward(null, x, w5, null, norm: epilogue), "Prepare");

        BatchNorm.Prepare(epilogue, null, null, null, mean, variance, training: false);
        Assert.That(() => Linear.Forward(null, x, w3, null, norm: epilogue), Throws.TypeOf<ShapeException>().With.Message.Contains("3 channels"));
        Refuses(() => Linear.Forward(new Tape(), x, w5, null, norm: epilogue), "gradient");
        Refuses(() => End(Linear.Forward(null, x, w5, null)), "map that makes x");
        Refuses(() => BatchNorm.Prepare(epilogue, null, null, null, mean, variance, false, before: ActivationKind.Gelu), "Gelu");

        BatchNorm.Prepare(epilogue, null, null, null, mean, variance, training: true);
        Assert.That(epilogue.Normalizes, Is.False);
        Linear.Forward(null, x, w5, null, norm: epilogue);
        var other = Samples.Constant(device, new Shape(9, 5), Samples.Normal(3, 45));
        float[] want = Samples.Read(BatchNorm.Forward(null, other, null, null, mean, variance, training: true));
        Assert.That(Samples.Read(End(other, training: true)), Is.EqualTo(want));

        static void Refuses(Action act, string why) => Assert.That(act, Throws.TypeOf<InvalidOptionException>().With.Message.Contains(why));

        Tensor End(Tensor y, Tape? tape = null, bool training = false, ActivationKind? before = null, Tensor? output = null) =>
            BatchNorm.Forward(tape, y, null, null, mean, variance, training, output: output, before: before, epilogue: epilogue);
    }

    // 288 rows and 70 columns: tiles of 128 × 128, the last one ragged both ways.
    [TestCase(true)]
    [TestCase(false)]
    [Category("Sanitized")]
    public void Several_tiles_of_maps_on_warpgroups(bool training)
    {
        Assume.That(on.IsCuda, "skipped, optional: the CPU has no warpgroups");
        Assume.That(HasWarpgroups(), "skipped, optional: not a GPU of compute capability 9.0, or binaries by NVRTC 11");
        var problem = new Problem("conv2d 2 9 31 8 70 3 0") { Before = ActivationKind.Relu, Training = training };
        var (want, got) = Both(problem, Precision.Bf16, onWarpgroups: true);
        Assert.That(got.Launched, Has.Some.EqualTo("conv2d_correlate_wgmma_128").And.None.EqualTo("batch_norm_partial"));
        if (training)
        {
            AssertSame(want, got, "training", Precision.Bf16);
            return;
        }

        Close.Assert(got.Y, want.Y, 4 * Tolerance.Epsilon * want.Y.Max(Math.Abs), "inference");
    }

    // 5 rows of 7 windows in 3 maps: patches of the copy engine have gaps, and their moments would be of as many rows as a whole one has.
    [Test]
    [Category("Sanitized")]
    public void Patches_with_missing_windows_leave_the_statistics_to_the_norm()
    {
        Assume.That(HasWarpgroups(), "skipped, optional: not a GPU of compute capability 9.0, or binaries by NVRTC 11");
        var problem = new Problem("conv2d 3 5 13 64 21 3 0") { Before = ActivationKind.Relu };
        var (want, got) = Both(problem, Precision.Bf16, onWarpgroups: true);
        Assert.That(got.Numbers, Is.EqualTo(want.Numbers));
        Assert.That(got.Launched, Has.Some.EqualTo("conv2d_correlate_wgmma_64_bulk").And.Some.EqualTo("batch_norm_partial"));
        (want, got) = Both(problem with { BulkCopies = false }, Precision.Bf16, onWarpgroups: true);
        AssertSame(want, got, "tiles that threads copy", Precision.Bf16);
        Assert.That(got.Launched, Has.Some.EqualTo("conv2d_correlate_wgmma_64").And.None.EqualTo("batch_norm_partial"));
    }

    [Test]
    public void With_a_tape_and_known_statistics_nothing_is_measured([Values(true, false)] bool frozen)
    {
        foreach (string sizes in new[] { "linear 1 70 1 20 5 1 1", "conv1d 3 50 1 7 67 3 0", "conv2d 2 5 13 8 21 3 0" })
        {
            var problem = new Problem(sizes) { Before = ActivationKind.Relu, Training = frozen, IsFrozen = frozen, HasTape = true };
            var (want, got) = (Run(problem, false), Run(problem, true));
            Assert.That(got.Numbers, Is.EqualTo(want.Numbers));
            Assert.That(got.Launched, Is.EqualTo(want.Launched.Where(name => name != ColumnSums)));
            Assert.That(got.MomentsOf, Is.Zero, "no room for moments");
            Assert.That(Run(problem with { IsFrozen = false, Training = true }, true).MomentsOf, on.IsCuda ? Is.GreaterThan(0) : Is.Zero);
        }
    }

    [TestCase(64)]
    [TestCase(128)]
    public void More_runs_than_pay_are_left_to_the_norm(int rowsEach)
    {
        using var device = on.Open();
        var epilogue = new BatchNormEpilogue();
        var y = device.Workspace.Rent(new Shape((BatchNormEpilogue.MostRuns * rowsEach) + 1, 1));
        epilogue.Measure(slope: 0);
        Assert.That(epilogue.RentMoments(y, rowsEach), Is.Null);
        Assert.That(epilogue.RentMoments(y.Slice(0, y.Shape.Rows - 1), rowsEach)?.Shape, Is.EqualTo(new Shape(BatchNormEpilogue.MostRuns, 3, 1)));
        epilogue.Leave();
        Assert.That(epilogue.RentMoments(y.Slice(0, 9), rowsEach), Is.Null);
    }

    // As the stem of a ResNet: a row of 64 × 64 tiles more than are merged.
    [Test]
    public void Tall_narrow_maps_are_left_to_the_norm([Values("linear", "conv1d", "conv2d")] string kind)
    {
        Assume.That(on.IsCuda, "skipped, optional: the CPU never measures");
        int height = kind == Maps ? 1 : (BatchNormEpilogue.MostRuns * 64) + 1, width = kind == Maps ? (2 * BatchNormEpilogue.MostRuns * 64) + 1 : 1;
        var problem = new Problem($"{kind} 1 {height} {width} 1 2 1 0") { Backward = false, Padding = 0 };
        var (want, got) = Both(problem, Precision.Fp32, onWarpgroups: false);
        Assert.That(got.Numbers, Is.EqualTo(want.Numbers));
        Assert.That(got.Launched.Count(name => name == "batch_norm_partial"), Is.EqualTo(1));
    }

    private static void AssertSame(Result want, Result got, string what, Precision precision = Precision.Fp32, double limitOfOutput = 1e-5)
    {
        // A gradient that differs in its last bit may be rounded the other way ahead of a product.
        double limitOfGradient = precision switch { Precision.Fp32 => 2e-5, Precision.Tf32 => 3e-4, _ => 3e-3 };
        Assert.That(got.Product, Is.EqualTo(want.Product), "what the product stores");
        for (int c = 0; c < want.Mean.Length; c++)
        {
            double deviation = Math.Sqrt(want.Variance[c]);
            Assert.That(got.Mean[c], Is.EqualTo(want.Mean[c]).Within((1e-5 * deviation) + (2e-7 * Math.Abs(want.Mean[c]))), $"running mean, {what}");
            Assert.That(got.Variance[c], Is.EqualTo(want.Variance[c]).Within(1e-5 * want.Variance[c]), $"running variance, {what}");
        }

        Close.Assert(got.Y, want.Y, limitOfOutput * want.Y.Max(Math.Abs), $"output, {what}");
        foreach (var (gradient, expected, name) in new[] { (got.Dx, want.Dx, "x"), (got.Dw, want.Dw, "weight"), (got.Dgamma, want.Dgamma, "γ") })
        {
            Close.Assert(gradient, expected, expected.Length == 0 ? 0 : limitOfGradient * Math.Max(1, expected.Max(Math.Abs)), $"gradient of {name}, {what}");
        }
    }

    // That warpgroups compute what suits them, with tiles that the copy engine brings where it can.
    private void AssertRoute(Problem problem, Result got, bool onWarpgroups)
    {
        if (onWarpgroups && problem.SuitsWarpgroups && HasWarpgroups())
        {
            string product = problem.Kind == Maps ? "conv2d_correlate_wgmma" : "mat_mul_wgmma_";
            string first = got.Launched.First(name => name.StartsWith(product, StringComparison.Ordinal) && !name.EndsWith("_round", StringComparison.Ordinal));
            Assert.That(first, problem.BulkCopies && problem.SuitsBulkCopies ? Does.Contain("_bulk") : Does.Not.Contain("_bulk"));
        }
    }

    private bool HasWarpgroups()
    {
        using var device = on.Open(precision: Precision.Bf16, onWarpgroups: true);
        return device is CudaDevice cuda && WarpgroupGemm.IsOn(cuda) && cuda.Driver.HasTensorMaps
            && cuda.Has(new KernelId("encoder/conv2d", "conv2d_correlate_wgmma_64"));
    }

    private (Result Want, Result Got) Both(Problem problem, Precision precision, bool onWarpgroups) =>
        (Run(problem, false, precision, onWarpgroups), Run(problem, true, precision, onWarpgroups));

    private Result Run(Problem p, bool fused, Precision precision = Precision.Fp32, bool onWarpgroups = false)
    {
        using var device = on.Open(precision: precision, onWarpgroups: onWarpgroups);
        var launched = new List<string>();
        if (device is CudaDevice cuda)
        {
            cuda.Launching = kernel => launched.Add(kernel.Name);
            cuda.UsesBulkCopies = p.BulkCopies;
        }

        int outputs = p.Outputs;
        var x = Samples.Variable(device, p.Input, Samples.Normal(1, p.Input.Count));
        float[] weights = Samples.Normal(2, p.Weight.Count, p.WeightScale);
        int row = p.Weight.Count / outputs;
        weights.AsSpan(outputs / 2 * row, row).Clear();  // A constant channel.
        float[] bias = [.. Samples.Normal(3, outputs).Select((v, c) => v + (c % 2 == 0 ? p.Offset : -p.Offset))];
        var (w, b) = (Samples.Variable(device, p.Weight, weights), Samples.Variable(device, new Shape(outputs), bias));
        var parameters = LayerCheck.Parameters(
            device, ("gamma", new Shape(outputs), Samples.Normal(4, outputs)), ("beta", new Shape(outputs), Samples.Normal(5, outputs)));
        var mean = LayerCheck.Parameters(device, ("mean", new Shape(outputs), [.. bias.Select(v => v > 0f || p.Before is null ? v : 0f)]))[0];
        var variance = LayerCheck.Buffer(device, outputs, 0.3f);
        mean.IsFrozen = variance.IsFrozen = p.IsFrozen;
        var tape = p.HasTape || (p.Training && p.Backward) ? new Tape() : null;
        var wide = Samples.Variable(device, p.Wide, new float[p.Wide.Count]);
        var output = p.First == 0 ? null : wide.Channels(p.First, outputs);

        var epilogue = fused ? new BatchNormEpilogue() : null;
        if (epilogue is not null)
        {
            BatchNorm.Prepare(epilogue, tape, parameters[0], parameters[1], mean, variance, p.Training, before: p.Before);
        }

        var target = epilogue is { Normalizes: true } ? output : null;
        var product = p.Kind switch
        {
            Convolution => Conv1d.Forward(tape, x, w, b, dilation: 2, Padding.Zero, target, epilogue),
            Maps => Conv2d.Forward(tape, x, w, b, 1, 2, p.Padding, p.Padding, target, epilogue),
            _ => Linear.Forward(tape, x, w, b, target, epilogue),
        };
        int momentsOf = epilogue?.Moments?.Shape[0] ?? 0;
        float[] stored = p.Training ? Samples.Read(product) : [];
        var y = BatchNorm.Forward(
            tape, product, parameters[0], parameters[1], mean, variance, p.Training, momentum: 1, output: output, before: p.Before, epilogue: epilogue);
        float[] result = Samples.Read(y);
        if (p.First > 0)
        {
            Assert.That(Samples.Read(wide).Where((_, i) => i % p.Wide.Last < p.First || i % p.Wide.Last >= p.First + outputs), Has.All.Zero, "outside of the view");
        }

        float[] dx = [], dw = [], dgamma = [];
        if (tape is not null)
        {
            y.GradForWrite(out _).CopyFrom(Samples.Normal(6, y.Count));
            GradientCheck.Backward(tape);
            BatchNormRunSumsTests.AssertBiasGradient(product, b);
            (dx, dw, dgamma) = (Samples.Read(x.Grad!), Samples.Read(w.Grad!), Samples.Read(parameters[0].Value.Grad!));
        }

        return new Result(stored, result, Samples.Read(mean.Value), Samples.Read(variance.Value), dx, dw, dgamma, launched, momentsOf);
    }

    private sealed record Result(
        float[] Product, float[] Y, float[] Mean, float[] Variance, float[] Dx, float[] Dw, float[] Dgamma, IReadOnlyList<string> Launched, int MomentsOf)
    {
        public float[] Numbers => [.. Y, .. Mean, .. Variance, .. Dx, .. Dw, .. Dgamma];
    }

    private sealed record Problem
    {
        public Problem(string sizes)
        {
            string[] parts = sizes.Split(' ');
            int[] s = [.. parts.Skip(1).Select(int.Parse)];
            (Kind, Outputs, First) = (parts[0], s[4], s[6]);
            (Input, Weight) = Kind switch
            {
                Convolution => (new Shape(s[0], s[1], s[3]), new Shape(s[4], s[5], s[3])),
                Maps => (new Shape(s[0], s[1], s[2], s[3]), new Shape(s[4], s[5], s[5], s[3])),
                _ => (new Shape(s[0] * s[1], s[3]), new Shape(s[4], s[3])),
            };
            Wide = Kind switch
            {
                Convolution => new Shape(s[0], s[1], s[4] + 9),
                Maps => new Shape(s[0], s[1], (s[2] + 1) / 2, s[4] + 9),
                _ => new Shape(s[0] * s[1], s[4] + 9),
            };
        }

        public string Kind { get; }

        public Shape Input { get; }

        public Shape Weight { get; }

        public Shape Wide { get; }

        public int Outputs { get; }

        public int First { get; }

        public ActivationKind? Before { get; init; }

        public bool Training { get; init; } = true;

        public bool Backward { get; init; } = true;

        public bool HasTape { get; init; }

        public bool IsFrozen { get; init; }

        public int Padding { get; init; } = 1;

        public bool BulkCopies { get; init; } = true;

        // Copies of 8 channels must lie under one tap, those of the copy engine of 64; frames of several taps are those that 8 divides here, windows of maps
        // those of whole patches.
        public bool SuitsWarpgroups => Kind == "linear" || (Kind == Convolution && Weight[1] == 1) || Input.Last % 8 == 0;

        public bool SuitsBulkCopies => Kind == "linear" || (Kind == Convolution && Weight[1] == 1) || Input.Last % 64 == 0;

        public float WeightScale { get; init; } = 0.3f;

        public float Offset { get; init; }
    }
}
