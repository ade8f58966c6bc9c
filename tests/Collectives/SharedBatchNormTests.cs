using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Collectives;

/// <summary>Batch norm over the rows of several processes is that of one process with all rows.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class SharedBatchNormTests(TestDevice on)
{
    // Fewer rows than a run, several runs, a channel beyond the lanes; a mean that would cancel a variance from sums of squares.
    [Test]
    [Category("Sanitized")]
    public void Output_gradients_and_running_statistics_are_those_of_all_rows(
        [Values(2, 3)] int ranks, [Values("1 3", "5 17", "70 130")] string size, [Values(0f, 300f)] float mean, [Values(null, ActivationKind.Relu)] ActivationKind? before)
    {
        int[] s = [.. size.Split(' ').Select(int.Parse)];
        var (each, channels) = (s[0], s[1]);
        int share = each * channels;
        float[] x = [.. Samples.Normal(1, ranks * share).Select(v => v + mean)], dy = Samples.Normal(2, ranks * share);
        var one = Norm(Collective.Alone, x, dy, channels, before);
        var all = ThreadCollective.Run(ranks, p => Norm(
            p, x.AsSpan(p.Rank * share, share).ToArray(), [.. dy.AsSpan(p.Rank * share, share).ToArray().Select(v => v * p.Ranks)], channels, before));

        // f32 input of size 300 has an error of 1e-5 for a deviation of 1.
        double limit = 64 * Tolerance.Epsilon * (1 + mean);
        Close.Assert(all.SelectMany(r => r.Y).ToArray(), one.Y, limit * 4, "output");
        double scale = Math.Max(1, one.Dx.Max(Math.Abs));
        Close.Assert(all.SelectMany(r => r.Dx).Select(v => v / ranks).ToArray(), one.Dx, limit * scale * (each == 1 ? 50 : 8), "gradient of x");
        foreach (var rank in all)
        {
            Close.Assert(rank.Dgamma, one.Dgamma, limit * 8 * Math.Sqrt(each * ranks), "gradient of γ");
            Close.Assert(rank.Dbeta, one.Dbeta, limit * 8 * Math.Sqrt(each * ranks), "gradient of β");
            Close.Assert(rank.Mean, one.Mean, limit, "running mean");
            Close.Assert(rank.Variance, one.Variance, limit * 4, "running variance");
        }
    }

    // The map passes its input on, so that both measure the same.
    [Test]
    [Category("Sanitized")]
    public void The_map_ahead_measures_for_all_processes()
    {
        const int ranks = 2, each = 70, channels = 37, share = each * channels;
        float[] x = Samples.Normal(1, ranks * share), dy = Samples.Normal(2, ranks * share);
        var results = new[] { false, true }.Select(measured => ThreadCollective.Run(ranks, p => Norm(
            p, x.AsSpan(p.Rank * share, share).ToArray(), dy.AsSpan(p.Rank * share, share).ToArray(), channels, ActivationKind.Relu, measured: measured))).ToArray();
        for (int rank = 0; rank < ranks; rank++)
        {
            var (want, got) = (results[0][rank], results[1][rank]);
            Close.Assert(got.Y, want.Y, 64 * Tolerance.Epsilon, "output");
            Close.Assert(got.Dx, want.Dx, 64 * Tolerance.Epsilon, "gradient of x");
            Close.Assert(got.Mean, want.Mean, 8 * Tolerance.Epsilon, "running mean");
            Close.Assert(got.Variance, want.Variance, 16 * Tolerance.Epsilon, "running variance");
            Assert.That(got.Mean, Is.EqualTo(results[1][0].Mean), "the same in all processes");
            Assert.That((want.OwnPass, got.OwnPass), Is.EqualTo((on.IsCuda, false)), "a pass of the norm's own");
        }
    }

    // The map passes its gradient on, so that both sum the same.
    [Test]
    [Category("Sanitized")]
    public void The_map_behind_sums_for_all_processes()
    {
        const int ranks = 2, each = 70, channels = 37, share = each * channels;
        float[] x = Samples.Normal(1, ranks * share), dy = Samples.Normal(2, ranks * share);
        var results = new[] { false, true }.Select(summed => ThreadCollective.Run(ranks, p => Norm(
            p, x.AsSpan(p.Rank * share, share).ToArray(), dy.AsSpan(p.Rank * share, share).ToArray(), channels, ActivationKind.Relu, summed: summed))).ToArray();
        for (int rank = 0; rank < ranks; rank++)
        {
            var (want, got) = (results[0][rank], results[1][rank]);
            Close.Assert(got.Dx, want.Dx, 64 * Tolerance.Epsilon, "gradient of x");
            Close.Assert(got.Dgamma, want.Dgamma, 16 * Tolerance.Epsilon * want.Dgamma.Max(Math.Abs), "gradient of γ");
            Assert.That(got.Dgamma, Is.EqualTo(results[1][0].Dgamma), "the same in all processes");
            Assert.That((want.OwnGradientPass, got.OwnGradientPass), Is.EqualTo((on.IsCuda, false)), "a pass of the norm's own");
        }
    }

    // The sums over time are a process' own, the statistics that make them those of the result are everybody's.
    [Test]
    [Category("Sanitized")]
    public void Means_over_time_are_those_of_the_result()
    {
        const int utterances = 2, frames = 70, channels = 37;
        Assume.That(on.IsCuda, "skipped, optional: products sum over time on GPUs");
        ThreadCollective.Run(2, p =>
        {
            using var device = on.Open();
            device.Collective = p;
            Parameter mean = LayerCheck.Buffer(device, channels, 0.5f), variance = LayerCheck.Buffer(device, channels, 2f);
            var x = Samples.Constant(device, new Shape(utterances, frames, channels), [.. Samples.Normal(p.Rank, utterances * frames * channels).Select(v => v + p.Rank)]);
            var weight = Samples.Constant(device, new Shape(channels, channels), Samples.Normal(7, channels * channels));
            var epilogue = new BatchNormEpilogue();
            BatchNorm.Prepare(epilogue, null, null, null, mean, variance, training: true, before: ActivationKind.Relu);
            epilogue.WantTimeMeans();
            var product = Linear.Forward(null, x, weight, null, norm: epilogue);
            float[] y = Samples.Read(BatchNorm.Forward(null, product, null, null, mean, variance, training: true, before: ActivationKind.Relu, epilogue: epilogue));
            float[] means = Samples.Read(epilogue.TakeTimeMeans()!);
            for (int i = 0; i < means.Length; i++)
            {
                int first = i / channels * frames * channels;
                double want = Enumerable.Range(0, frames).Average(t => (double)y[first + (t * channels) + (i % channels)]);
                Assert.That(means[i], Is.EqualTo(want).Within(1e-6 * y.Max(Math.Abs)));
            }

            return true;
        });
    }

    [Test]
    public void One_row_in_each_of_two_processes_is_enough_and_a_single_one_is_not()
    {
        Assert.That(ThreadCollective.Run(2, p => Norm(p, [p.Rank], [0], 1, null).Y[0]), Is.EqualTo([-1f, 1f]).Within(1e-4f));
        Assert.That(() => Norm(Collective.Alone, [1], [0], 1, null), Throws.TypeOf<ShapeException>());
    }

    [Test]
    public void Evaluation_asks_nobody() => Assert.That(
        ThreadCollective.Run(2, p => p.IsLead ? Norm(p, [1, 3], [0, 0], 1, null, training: false).Y : []), Has.Exactly(1).Not.Empty, "rank 1 makes no call");

    private Result Norm(Collective processes, float[] values, float[] dy, int channels, ActivationKind? before, bool training = true, bool measured = false, bool summed = false)
    {
        using var device = on.Open();
        bool ownPass = false, ownGradientPass = false;
        if (device is CudaDevice cuda)
        {
            cuda.Launching = kernel =>
            {
                ownPass |= kernel.Name == "batch_norm_partial";
                ownGradientPass |= kernel.Name == "batch_norm_gradient_partial";
            };
        }

        device.Collective = processes;
        var p = LayerCheck.Parameters(
            device, ("gamma", new Shape(channels), Samples.Normal(4, channels)), ("beta", new Shape(channels), Samples.Normal(5, channels)));
        Parameter mean = LayerCheck.Buffer(device, channels, 0.5f), variance = LayerCheck.Buffer(device, channels, 2f);
        var x = Samples.Variable(device, new Shape(values.Length / channels, channels), values);
        var tape = new Tape();
        Parameter? gamma = channels == 1 ? null : p[0], beta = channels == 1 ? null : p[1];
        Tensor input = x;
        BatchNormEpilogue? epilogue = null;
        if (measured)
        {
            BatchNorm.Prepare(epilogue = new(), tape, gamma, beta, mean, variance, training, before: before);
            input = Linear.Forward(tape, x, Identity(), null, norm: epilogue);
        }

        var y = BatchNorm.Forward(tape, input, gamma, beta, mean, variance, training, before: before, epilogue: epilogue);
        float[] output = Samples.Read(y);
        (summed ? Linear.Forward(tape, y, Identity(), null) : y).GradForWrite(out _).CopyFrom(dy);
        GradientCheck.Backward(tape);
        var gradients = new[] { p[0].Value.Grad!, p[1].Value.Grad! };
        if (training)
        {
            Array.ForEach(gradients, processes.Average);
        }

        return new Result(
            output, Samples.Read(x.Grad!), Samples.Read(gradients[0]), Samples.Read(gradients[1]), Samples.Read(mean.Value), Samples.Read(variance.Value), ownPass,
            ownGradientPass);

        Tensor Identity() => Samples.Constant(
            device, new Shape(channels, channels), [.. Enumerable.Range(0, channels * channels).Select(i => i % (channels + 1) == 0 ? 1f : 0f)]);
    }

    private sealed record Result(float[] Y, float[] Dx, float[] Dgamma, float[] Dbeta, float[] Mean, float[] Variance, bool OwnPass, bool OwnGradientPass);
}
