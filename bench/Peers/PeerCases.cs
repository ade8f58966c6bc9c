using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Training.Optimization;

namespace Spk.Bench.Peers;

/// <summary>What the peers time: the same shapes, the same work.</summary>
internal static class PeerCases
{
    public static IReadOnlyList<Func<int, PeerCaseSet>> All { get; } =
        [Features, Products, XVector, Ecapa, t => Contrastive(t, 256), t => Contrastive(t, 1024), t => Contrastive(t, 4096)];

    private static PeerCaseSet Features(int threads)
    {
        var device = new CpuDevice(threads);
        var batch = BenchDevice.Random(device, new Shape(64, 32000), 1);
        var single = BenchDevice.Random(device, new Shape(1, 60 * 16000), 2);
        var kaldi = new FeatureExtractor(device, FeatureSpec.KaldiFbank80Povey with { Dither = 0 });
        var mel = new FeatureExtractor(device, FeatureSpec.TorchaudioMel40 with { Normalization = FeatureNormalization.None });
        return new PeerCaseSet(device,
        [
            new("fbank_kaldi_batch", "mel 80, 64 x 2 s", "audio s/s", 128, () => Compute(kaldi, batch)),
            new("fbank_kaldi_long", "mel 80, 1 x 60 s", "audio s/s", 60, () => Compute(kaldi, single)),
            new("melspec_log_batch", "mel 40, 64 x 2 s", "audio s/s", 128, () => Compute(mel, batch)),
        ]);

        static void Compute(FeatureExtractor extractor, Tensor waves)
        {
            extractor.Device.Workspace.Reset();
            extractor.Compute(waves);
        }
    }

    private static PeerCaseSet Products(int threads)
    {
        var device = new CpuDevice(threads);
        var cases = new List<PeerCase>();
        foreach (var (m, k, n) in new[]
        {
            (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048),
            (12800, 200, 512), (12800, 1536, 512), (12800, 512, 512), (6400, 1536, 1536),
        })
        {
            var a = BenchDevice.Random(device, new Shape(m, k), 1);
            var b = BenchDevice.Random(device, new Shape(k, n), 2);
            cases.Add(new PeerCase("sgemm", $"M {m}, K {k}, N {n}", "GFLOP/s", 2e-9 * m * k * n, () =>
            {
                device.Workspace.Reset();
                MatMul.Forward(null, a, b);
            }));
        }

        return new PeerCaseSet(device, cases);
    }

    private static PeerCaseSet XVector(int threads) => Network(
        threads,
        "xvector",
        new EncoderSpec { Kind = "tdnn", Bins = 40, Width = 512, LastWidth = 512, EmbeddingSize = 512, Segment = false },
        new Shape(64, 200, 40));

    private static PeerCaseSet Ecapa(int threads) => Network(
        threads,
        "ecapa_c512",
        new EncoderSpec { Kind = "ecapa", Variant = EncoderVariant.Wespeaker, Bins = 80, Width = 512, LastWidth = 1536, EmbeddingSize = 192 },
        new Shape(32, 200, 80));

    private static PeerCaseSet Network(int threads, string name, EncoderSpec spec, Shape input)
    {
        var device = new CpuDevice(threads);
        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters);
        parameters.Allocate(1);
        var optimizer = Optimizer.Create(new OptimizerSpec(), parameters);
        var x = BenchDevice.Random(device, input, 1);
        var target = BenchDevice.Random(device, new Shape(input[0], spec.EmbeddingSize), 2);
        var tape = new Tape();
        string sizes = $"batch {input[0]}, mel {input[2]}, frames {input[1]}";
        return new PeerCaseSet(device,
        [
            new(name + "_forward", sizes, "utt/s", input[0], () =>
            {
                device.Workspace.Reset();
                encoder.Forward(null, x, training: false);
            }),
            new(name + "_train_step", sizes, "utt/s", input[0], () =>
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();

                // The loss is a dot product with fixed targets, whose gradient is the targets.
                var y = encoder.Forward(tape, x, training: true);
                target.AsSpan().CopyTo(y.GradForWrite(out _).AsSpan());
                tape.BackwardFromGradients();
                optimizer.Step(1e-4);
            }),
        ]);
    }

    private static PeerCaseSet Contrastive(int threads, int batch)
    {
        var device = new CpuDevice(threads);
        var parameters = new ParameterSet(device);
        var z1 = parameters.Add("z1", new Shape(batch, 512), Initializer.XavierNormal(1, 1));
        var z2 = parameters.Add("z2", new Shape(batch, 512), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var tape = new Tape();
        return new PeerCaseSet(device,
        [
            new("ntxent_am_fwd_bwd", $"B {batch}, D 512, margin 0.1, temperature 0.03, symmetric", "pairs of views/s", batch, () =>
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();
                var loss = NtXent.Forward(tape, z1.Value, z2.Value, 0.03f, symmetric: true, MarginKind.Additive, 0.1f);
                tape.Backward(loss);
            }),
        ]);
    }
}
