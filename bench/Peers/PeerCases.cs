using Spk.Bench.Clustering;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Training.Optimization;

namespace Spk.Bench.Peers;

/// <summary>What the peers time: the same shapes, the same work; larger ones on a GPU, as there.</summary>
internal static class PeerCases
{
    public static IReadOnlyList<Func<Device, PeerCaseSet>> All { get; } =
    [
        Features, Products,
        d => XVector(d, IsCpu(d) ? 64 : 256), d => XVector(d, 512), d => Ecapa(d, IsCpu(d) ? 32 : 128), d => Ecapa(d, 256),
        d => Clusters(d, 20_000, 192, 256), d => Clusters(d, 100_000, 192, 1000), d => Clusters(d, 100_000, 512, 1000), SmallClusters,
        d => Contrastive(d, 256), d => Contrastive(d, 1024), d => Contrastive(d, 4096), d => Contrastive(d, 8192),
    ];

    private static bool IsCpu(Device device) => device is CpuDevice;

    private static PeerCaseSet Features(Device device)
    {
        int utterances = IsCpu(device) ? 64 : 256;
        var batch = BenchDevice.Random(device, new Shape(utterances, 32000), 1);
        var single = BenchDevice.Random(device, new Shape(1, 60 * 16000), 2);
        var kaldi = new FeatureExtractor(device, FeatureSpec.KaldiFbank80Povey with { Dither = 0 });
        var mel = new FeatureExtractor(device, FeatureSpec.TorchaudioMel40 with { Normalization = FeatureNormalization.None });
        return new PeerCaseSet(
        [
            new("fbank_kaldi_batch", $"mel 80, {utterances} x 2 s", "audio s/s", 2 * utterances, () => Compute(kaldi, batch), utterances * (128e3 + (198 * 320))),
            new("fbank_kaldi_long", "mel 80, 1 x 60 s", "audio s/s", 60, () => Compute(kaldi, single)),
            new("melspec_log_batch", $"mel 40, {utterances} x 2 s", "audio s/s", 2 * utterances, () => Compute(mel, batch)),
        ], HasProducts: false);

        static void Compute(FeatureExtractor extractor, Tensor waves)
        {
            extractor.Device.Workspace.Reset();
            extractor.Compute(waves);
        }
    }

    private static PeerCaseSet Products(Device device)
    {
        var cases = new List<PeerCase>();
        (int M, int K, int N)[] shapes =
        [
            (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (12800, 200, 512), (12800, 1536, 512), (12800, 512, 512),
            .. IsCpu(device) ? new[] { (6400, 1536, 1536) } : [(4096, 4096, 4096), (8192, 8192, 8192), (51200, 1536, 512), (51200, 1536, 1536)],
        ];
        foreach (var (m, k, n) in shapes)
        {
            var a = BenchDevice.Random(device, new Shape(m, k), 1);
            var b = BenchDevice.Random(device, new Shape(k, n), 2);
            double operations = 2.0 * m * k * n;
            cases.Add(new PeerCase(IsCpu(device) ? "sgemm" : "gemm", $"M {m}, K {k}, N {n}", "GFLOP/s", 1e-9 * operations, () =>
            {
                device.Workspace.Reset();
                MatMul.Forward(null, a, b);
            }, 4.0 * (((double)m * k) + ((double)k * n) + ((double)m * n)), operations));
        }

        return new PeerCaseSet(cases);
    }

    private static PeerCaseSet XVector(Device device, int batch) => Network(
        device,
        "xvector",
        new EncoderSpec { Kind = "tdnn", Bins = 40, Width = 512, LastWidth = 512, EmbeddingSize = 512, Segment = false },
        new Shape(batch, 200, 40));

    private static PeerCaseSet Ecapa(Device device, int batch) => Network(
        device,
        "ecapa_c512",
        new EncoderSpec { Kind = "ecapa", Variant = EncoderVariant.Wespeaker, Bins = 80, Width = 512, LastWidth = 1536, EmbeddingSize = 192 },
        new Shape(batch, 200, 80));

    private static PeerCaseSet Network(Device device, string name, EncoderSpec spec, Shape input)
    {
        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters);
        parameters.Allocate(1);
        var optimizer = Optimizer.Create(new OptimizerSpec(), parameters);
        var x = BenchDevice.Random(device, input, 1);
        var target = BenchDevice.Random(device, new Shape(input[0], spec.EmbeddingSize), 2);
        var tape = new Tape();
        var forward = new ReplayedWork(device, () => encoder.Forward(null, x, training: false));
        var forwardBackward = new ReplayedWork(device, () =>
        {
            tape.Clear();
            parameters.ZeroGradients();

            // The loss is a dot product with fixed targets, whose gradient is the targets.
            encoder.Forward(tape, x, training: true).TakeGradient(target);
            tape.BackwardFromGradients();
        });
        string sizes = $"batch {input[0]}, mel {input[2]}, frames {input[1]}";
        return new PeerCaseSet(
        [
            new(name + "_forward", sizes, "utt/s", input[0], () =>
            {
                device.Workspace.Reset();
                forward.Run(0);
            }),
            new(name + "_train_step", sizes, "utt/s", input[0], () =>
            {
                device.Workspace.Reset();
                forwardBackward.Run(0);
                optimizer.Step(1e-4);
            }),
        ]);
    }

    private static PeerCaseSet Clusters(Device device, int rows, int dimension, int clusters)
    {
        float[] x = KMeansRows.Blobs(rows, dimension, clusters, 7);
        float[] first = x.AsSpan(0, clusters * dimension).ToArray();
        return new PeerCaseSet(
        [
            .. new[] { 1, 20 }.Select(iterations => new PeerCase(
                "kmeans", $"N {rows}, D {dimension}, K {clusters}, iters {iterations}", "point-iterations/s", (double)rows * iterations, () =>
                    KMeans.Fit(x, dimension, new KMeansOptions { Clusters = clusters, MaximumIterations = iterations, Tolerance = 0 }, first, device: device),
                Operations: 2.0 * rows * dimension * clusters * iterations)),
        ]);
    }

    private static PeerCaseSet SmallClusters(Device device)
    {
        KMeansProblem[] problems = [.. Enumerable.Range(0, 64).Select(p =>
        {
            float[] rows = KMeansRows.Blobs(2000, 192, 20, 100 + (ulong)p);
            return new KMeansProblem(rows, 192, 20) { InitialCentroids = rows.AsMemory(0, 20 * 192) };
        })];
        return new PeerCaseSet(
        [
            new("kmeans_small", "64 problems, N 2000, D 192, K 20, iters 20", "problems/s", 64, () =>
                KMeans.FitBatch(problems, new KMeansOptions { MaximumIterations = 20, Tolerance = 0 }, device)),
        ]);
    }

    private static PeerCaseSet Contrastive(Device device, int batch)
    {
        var parameters = new ParameterSet(device);
        var z1 = parameters.Add("z1", new Shape(batch, 512), Initializer.XavierNormal(1, 1));
        var z2 = parameters.Add("z2", new Shape(batch, 512), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var tape = new Tape();
        return new PeerCaseSet(
        [
            new("ntxent_am_fwd_bwd", $"B {batch}, D 512, margin 0.1, temperature 0.03, symmetric", "pairs of views/s", batch, () =>
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();
                var loss = NtXent.Forward(tape, z1.Value, z2.Value, 0.03f, symmetric: true, MarginKind.Additive, 0.1f);
                tape.Backward(loss);
            }, Operations: 3 * 2.0 * 4 * batch * batch * 512),
        ], HasProducts: false);
    }
}
