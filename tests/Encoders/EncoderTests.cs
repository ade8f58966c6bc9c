using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Encoders;

public class EncoderTests
{
    private static readonly EncoderSpec Ecapa = new() { Kind = "ecapa", Bins = 80 };

    private static readonly TestCaseData[] Counts =
    [
        new TestCaseData(new EncoderSpec { Bins = 40 }, 4_516_244L).SetArgDisplayNames("tdnn 40"),
        new TestCaseData(new EncoderSpec { Bins = 80 }, 4_618_644L).SetArgDisplayNames("tdnn 80"),
        new TestCaseData(new EncoderSpec { Bins = 80, Variant = EncoderVariant.Wespeaker }, 4_610_524L).SetArgDisplayNames("tdnn 80 wespeaker"),
        new TestCaseData(new EncoderSpec { Bins = 40, Width = 128, EmbeddingSize = 128 }, 307_328L).SetArgDisplayNames("tdnn of width 128"),
        new TestCaseData(Ecapa with { Width = 512, EmbeddingSize = 192 }, 6_194_048L).SetArgDisplayNames("ecapa 512"),
        new TestCaseData(Ecapa with { Width = 1024, Bins = 40 }, 22_529_152L).SetArgDisplayNames("ecapa 1024, 40 bins"),
        new TestCaseData(Ecapa with { Width = 1024 }, 22_733_952L).SetArgDisplayNames("ecapa 1024, 80 bins"),
        new TestCaseData(Ecapa with { Width = 1024, EmbeddingSize = 192, Variant = EncoderVariant.Wespeaker }, 14_657_088L)
            .SetArgDisplayNames("ecapa 1024 wespeaker"),
        // 3 · (3·512·512·2 + 2·3·512), less what 80 bins save in the first layer, and 1024 · 512 + 512.
        new TestCaseData(new EncoderSpec { Kind = "gru", Bins = 80 }, 4_589_056L).SetArgDisplayNames("gru 80"),
        new TestCaseData(new EncoderSpec { Kind = "resnet", Bins = 40 }, 1_437_078L).SetArgDisplayNames("resnet 40 sap"),
        new TestCaseData(new EncoderSpec { Kind = "resnet", Bins = 80, Pooling = EncoderPooling.Stats }, 2_665_622L).SetArgDisplayNames("resnet 80 stats"),
    ];

    private static readonly EncoderSpec[] Frames =
    [
        new() { Kind = "tdnn", Bins = 5, Width = 6, EmbeddingSize = 3 },
        new() { Kind = "tdnn", Bins = 5, Width = 6, EmbeddingSize = 3, Variant = EncoderVariant.Wespeaker },
        new() { Kind = "ecapa", Bins = 5, Width = 8, LastWidth = 10, EmbeddingSize = 3, Scale = 4, Bottleneck = 3 },
        new() { Kind = "ecapa", Bins = 5, Width = 8, LastWidth = 10, EmbeddingSize = 3, Scale = 4, Bottleneck = 3, Variant = EncoderVariant.Wespeaker },
        new() { Kind = "gru", Bins = 5, Width = 6, EmbeddingSize = 3, Layers = 2 },
    ];

    private static readonly EncoderSpec[] Tiny =
    [
        .. Frames,
        new() { Kind = "resnet", Bins = 5, Width = 8, EmbeddingSize = 3 },
        new() { Kind = "resnet", Bins = 5, Width = 8, EmbeddingSize = 3, Pooling = EncoderPooling.Stats },
    ];

    private static IEnumerable<EncoderSpec> WithStatistics => Tiny.Where(t => t.Kind != "gru");

    [TestCaseSource(nameof(Counts))]
    public void Has_the_published_number_of_parameters(EncoderSpec spec, long count)
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        _ = Engine.Encoders.Encoder.Create(spec, parameters);
        Assert.That(parameters.TrainableCount, Is.EqualTo(count));
    }

    [TestCaseSource(nameof(Frames))]
    public void The_whole_model_matches_f64_in_values_and_gradients(EncoderSpec spec)
    {
        const int items = 4;
        int frames = spec.Kind == "tdnn" ? 19 : 9;
        using var device = new CpuDevice(2);
        var parameters = new ParameterSet(device);
        var encoder = Engine.Encoders.Encoder.Create(spec, parameters, "");
        parameters.Allocate(7);
        foreach (var p in parameters.Trainable.Where(p => p.Name.Contains("norm", StringComparison.Ordinal)))
        {
            // Away from 1 and 0, so that a forgotten scale or offset shows.
            p.Value.CopyFrom([.. Samples.Normal(p.Name.Length, p.Shape.Count, 0.3f).Select(v => v + (p.Name.EndsWith("weight", StringComparison.Ordinal) ? 1f : 0f))]);
        }

        float[] features = Samples.Normal(3, items * frames * spec.Bins);
        var x = Samples.Variable(device, new Shape(items, frames, spec.Bins), features);
        var tape = new Tape();
        var y = encoder.Forward(tape, x, training: true);
        Assert.That(y.Shape, Is.EqualTo(new Shape(items, spec.EmbeddingSize)));

        var weights = parameters.Trainable.ToDictionary(p => p.Name, p => Samples.ToDouble(Samples.Read(p.Value)));
        var input = new Support.Frames(items, frames, spec.Bins, Samples.ToDouble(features));
        double[] want = ModelReference.Embed(spec, input, weights);
        Close.Assert(Samples.Read(y), want, 2e-5 * want.Max(Math.Abs), "embedding");

        float[] dy = Samples.Normal(991, y.Count);
        y.GradForWrite(out _).CopyFrom(dy);
        parameters.ZeroGradients();
        GradientCheck.Backward(tape);
        foreach (var p in parameters.Trainable)
        {
            Check(p.Name, weights[p.Name], Samples.Read(p.Value.Grad!));
        }

        Check("features", input.V, Samples.Read(x.Grad!));

        void Check(string name, double[] at, float[] got)
        {
            // A bias ahead of a batch norm without activation between, or of a softmax over time, has gradient 0.
            double[] numeric = Differences(at, () => ModelReference.Embed(spec, input, weights).Zip(dy, (a, b) => a * b).Sum());
            Close.Assert(got, numeric, 5e-4 * Math.Max(numeric.Max(Math.Abs), 0.05), $"gradient of {name}");
        }
    }

    [TestCaseSource(nameof(Tiny))]
    public void Evaluation_embeds_each_utterance_alone(EncoderSpec spec)
    {
        using var device = new CpuDevice(2);
        var parameters = new ParameterSet(device);
        var encoder = Engine.Encoders.Encoder.Create(spec, parameters);
        parameters.Allocate(1);
        foreach (int frames in new[] { encoder.MinimumFrames, 31, 33 })
        {
            var batch = Samples.Constant(device, new Shape(3, frames, 5), Samples.Normal(frames, 3 * frames * 5));
            float[] together = Samples.Read(encoder.Forward(null, batch, training: false));
            float[] alone = Samples.Read(encoder.Forward(null, batch.Slice(1, 1), training: false));
            Close.Assert(alone, together.AsSpan(3, 3), 1e-5, $"{frames} frames");
            Assert.That(together.Select(float.IsFinite), Has.All.True);
        }
    }

    [TestCaseSource(nameof(WithStatistics))]
    public void Evaluation_leaves_the_running_statistics_and_training_moves_them(EncoderSpec spec)
    {
        using var device = new CpuDevice(2);
        var parameters = new ParameterSet(device);
        var encoder = Engine.Encoders.Encoder.Create(spec, parameters);
        parameters.Allocate(1);
        var x = Samples.Constant(device, new Shape(3, 20, 5), Samples.Normal(2, 3 * 20 * 5));
        float[] Buffers() => [.. parameters.Buffers.SelectMany(b => Samples.Read(b.Value))];
        float[] before = Buffers();
        _ = encoder.Forward(null, x, training: false);
        Assert.That(Buffers(), Is.EqualTo(before));
        _ = encoder.Forward(null, x, training: true);
        Assert.That(Buffers().Zip(before, (a, b) => a != b).Count(changed => changed), Is.GreaterThan(before.Length / 2));
    }

    // Minimum length, one frame below it, and what is said then.
    [TestCaseSource(nameof(Tiny))]
    public void Short_or_foreign_features_are_refused(EncoderSpec spec)
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        var encoder = Engine.Encoders.Encoder.Create(spec, parameters);
        parameters.Allocate(1);
        int least = encoder.MinimumFrames;
        Assert.That(() => encoder.Forward(null, device.Workspace.Rent(new Shape(1, least - 1, 5)), false),
            Throws.TypeOf<ShapeException>().With.Message.Contains($"at least {least} frames"));
        Assert.That(() => encoder.Forward(null, device.Workspace.Rent(new Shape(1, 30, 6)), false),
            Throws.TypeOf<ShapeException>().With.Message.Contains("[N, T, 5]"));
    }

    [TestCaseSource(nameof(Tiny))]
    public void A_training_step_allocates_nothing_and_threads_do_not_change_a_bit(EncoderSpec spec)
    {
        // The depth of a ResNet takes its time even where there is little to compute.
        int items = 6, frames = spec.Kind == "resnet" ? 7 : 40;
        var results = new List<float[]>();
        foreach (int threads in new[] { 1, 2 })
        {
            using var device = new CpuDevice(threads);
            var parameters = new ParameterSet(device);
            var encoder = Engine.Encoders.Encoder.Create(spec, parameters);
            parameters.Allocate(1);
            float[] values = Samples.Normal(2, items * frames * 5), dy = Samples.Normal(3, items * 3);
            var tape = new Tape();
            for (int i = 0; i < 5; i++)
            {
                Step();
            }

            // The test host's own threads allocate now and then, so this thread is measured; alone it runs everything.
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 20; i++)
            {
                Step();
            }

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero, "bytes in 20 steps");
            results.Add([.. Samples.Read(parameters.Gradients), .. parameters.Buffers.SelectMany(b => Samples.Read(b.Value))]);

            void Step()
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();
                var x = Samples.Constant(device, new Shape(items, frames, 5), values);
                var y = encoder.Forward(tape, x, training: true);
                y.GradForWrite(out _).CopyFrom(dy);
                tape.BackwardFromGradients();
            }
        }

        Assert.That(results[1], Is.EqualTo(results[0]));
    }

    [Test]
    public void Names_follow_the_documented_pattern()
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        _ = Engine.Encoders.Encoder.Create(Tiny[2], parameters);
        string[] names = [.. parameters.All.Select(p => p.Name)];
        Assert.That(names, Is.SupersetOf((string[])
        [
            "encoder.stem.conv.weight", "encoder.stem.norm.running_var", "encoder.blocks.2.enter.conv.bias", "encoder.blocks.0.res2.2.norm.weight",
            "encoder.blocks.1.excite.expand.weight", "encoder.aggregation.norm.bias", "encoder.pool.context.weight", "encoder.pool.score.bias",
            "encoder.norm.running_mean", "encoder.embedding.weight",
        ]));
    }

    private static double[] Differences(double[] values, Func<double> f)
    {
        const double step = 1e-6;
        var gradient = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            double kept = values[i];
            values[i] = kept + step;
            double above = f();
            values[i] = kept - step;
            gradient[i] = (above - f()) / (2 * step);
            values[i] = kept;
        }

        return gradient;
    }
}
