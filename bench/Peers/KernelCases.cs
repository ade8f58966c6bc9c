using Spk.Bench.Support;
using Spk.Engine.Audio;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;

namespace Spk.Bench.Peers;

/// <summary>Single ops at training sizes, with the bytes they must move (f32 storage) and the operations they do.</summary>
internal static class KernelCases
{
    private const int Frames = 200, Parameters = 20_000_000;

    public static IReadOnlyList<Func<Device, PeerCaseSet>> All { get; } =
    [
        d => Convolution(d, "conv1d", 512, 512, 5), d => Convolution(d, "conv1d", 512, 512, 3), d => Convolution(d, "conv1d", 80, 512, 5),
        d => Convolution(d, "conv1d", 512, 1500, 1), Layers, Classifier, Optimizers, Augmentation,
    ];

    private static int Batch(Device device) => device is CpuDevice ? 16 : 256;

    private static PeerCaseSet Convolution(Device device, string name, int input, int output, int taps)
    {
        int batch = Batch(device), rows = batch * Frames, used = batch * (Frames - taps + 1);
        var parameters = new ParameterSet(device);
        var weight = parameters.Add("weight", new Shape(output, taps, input), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var x = BenchDevice.Random(device, new Shape(batch, Frames, input), 1);
        var dy = BenchDevice.Random(device, new Shape(batch, Frames - taps + 1, output), 2);
        var tape = new Tape();
        double operations = 2.0 * used * input * output * taps;
        double bytes = 4 * (((double)rows * input) + ((double)used * output) + ((double)taps * input * output));
        string sizes = $"{input} to {output}, {taps} taps, {batch} x {Frames} frames";
        return new PeerCaseSet(
        [
            new(name + "_forward", sizes, "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                Conv1d.Forward(null, x, weight.Value, null);
            }, bytes, operations),
            new(name + "_forward_backward", sizes, "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();
                BenchDevice.StartStep(x);
                Conv1d.Forward(tape, x, weight.Value, null).TakeGradient(dy);
                tape.BackwardFromGradients();
            }, 3 * bytes, 3 * operations),
        ]);
    }

    private static PeerCaseSet Layers(Device device)
    {
        int batch = Batch(device);
        const int channels = 512;
        double elements = (double)batch * Frames * channels;
        var parameters = new ParameterSet(device);
        Parameter Add(string name, int rows, int columns = 0) =>
            parameters.Add(name, columns == 0 ? new Shape(rows) : new Shape(rows, columns), Initializer.XavierNormal(1, 1));
        var gamma = Add("gamma", channels);
        var beta = Add("beta", channels);
        var mean = Add("mean", channels);
        var variance = Add("variance", channels);
        var reduce = Add("reduce", 128, channels);
        var reduceBias = Add("reduceBias", 128);
        var expand = Add("expand", channels, 128);
        var expandBias = Add("expandBias", channels);
        parameters.Allocate(1);
        var x = BenchDevice.Random(device, new Shape(batch, Frames, channels), 1);
        var dy = BenchDevice.Random(device, x.Shape, 2);
        var pooledGradient = BenchDevice.Random(device, new Shape(batch, 2 * channels), 3);
        var tape = new Tape();
        string sizes = $"{batch} x {Frames} frames x {channels}";

        PeerCase Forward(string name, double passes, Func<Tape?, Tensor> op) => new(name + "_forward", sizes, "utt/s", batch, () =>
        {
            device.Workspace.Reset();
            op(null);
        }, passes * 4 * elements);

        PeerCase Both(string name, double passes, Func<Tape?, Tensor> op, Tensor gradient) => new(name + "_forward_backward", sizes, "utt/s", batch, () =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters.ZeroGradients();
            BenchDevice.StartStep(x);
            op(tape).TakeGradient(gradient);
            tape.BackwardFromGradients();
        }, passes * 4 * elements);

        Tensor Norm(Tape? t) => BatchNorm.Forward(t, x, gamma, beta, mean, variance, training: true, before: ActivationKind.Relu);
        Tensor Excite(Tape? t) => SqueezeExcite.Forward(t, x, reduce, reduceBias, expand, expandBias, residual: x);
        Tensor Pool(Tape? t) => StatsPool.Forward(t, x);
        return new PeerCaseSet(
        [
            Forward("batch_norm_relu", 3, Norm), Both("batch_norm_relu", 8, Norm, dy),
            Forward("squeeze_excite", 4, Excite),
            Forward("activation_gelu", 2, t => Activation.Forward(t, x, ActivationKind.Gelu)),
            Forward("stats_pool", 1, Pool), Both("stats_pool", 3, Pool, pooledGradient),
        ], HasProducts: false);
    }

    private static PeerCaseSet Classifier(Device device)
    {
        int batch = device is CpuDevice ? 64 : 512, classes = device is CpuDevice ? 1000 : 100_000;
        const int width = 192;
        var parameters = new ParameterSet(device);
        var weight = parameters.Add("weight", new Shape(classes, width), Initializer.XavierNormal(1, 1));
        var embeddings = parameters.Add("embeddings", new Shape(batch, width), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var labels = device.AllocatePersistent(new Shape(batch), ElementType.Int32);
        var tape = new Tape();
        return new PeerCaseSet(
        [
            new("margin_classifier_forward_backward", $"B {batch}, {classes} classes, D {width}, AAM", "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();
                tape.Backward(MarginClassifier.Forward(tape, embeddings.Value, weight, labels, MarginKind.AdditiveAngular, 30f, 0.2f));
            }, 12.0 * classes * width, 8.0 * batch * classes * width),
        ], HasProducts: false);
    }

    private static PeerCaseSet Optimizers(Device device)
    {
        var shape = new Shape(Parameters);
        var values = device.AllocatePersistent(shape);
        var gradients = BenchDevice.Random(device, shape, 1);
        var mean = device.AllocatePersistent(shape);
        var meanSquare = device.AllocatePersistent(shape);
        long step = 0;
        string sizes = $"{Parameters / 1_000_000} M parameters";
        return new PeerCaseSet(
        [
            new("adam", sizes, "parameters/s", Parameters, () => Adam.Step(values, gradients, mean, meanSquare, ++step, new AdamSettings { LearningRate = 1e-4 }), 28.0 * Parameters),
            new("ema", sizes, "parameters/s", Parameters, () => Ema.Step(mean, values, 0.99), 12.0 * Parameters),
            new("gradient_norm", sizes, "parameters/s", Parameters, () => GradientNorm.Compute(gradients), 4.0 * Parameters),
        ], HasProducts: false);
    }

    private static PeerCaseSet Augmentation(Device device)
    {
        int rows = device is CpuDevice ? 32 : 512;
        const int samples = 32000;
        var waves = BenchDevice.Random(device, new Shape(rows, samples), 1);
        var noise = BenchDevice.Random(device, new Shape(rows, samples), 2);
        var bank = new RirBank(device, [.. Enumerable.Range(0, 8).Select(i => Enumerable.Range(0, 8000).Select(t => MathF.Exp(-t / 800f) * ((t % (7 + i)) - 3)).ToArray())], samples);
        int[] rooms = [.. Enumerable.Range(0, rows).Select(i => i % 8)];
        float[] ratios = [.. Enumerable.Repeat(10f, rows)];
        var source = new SilentSource(rows, samples + 1000);
        CropRequest[] crops = [.. Enumerable.Range(0, rows).Select(i => new CropRequest(i, i))];
        string sizes = $"{rows} x 2 s";
        return new PeerCaseSet(
        [
            new("crop_gather", sizes, "audio s/s", 2 * rows, () =>
            {
                device.Workspace.Reset();
                CropGather.Forward(device, source, crops, samples);
            }),
            new("mix_noise", sizes, "audio s/s", 2 * rows, () =>
            {
                device.Workspace.Reset();
                MixNoise.Apply(waves, noise, ratios);
            }, 12.0 * rows * samples),
            new("convolve_rir", sizes + ", rooms of 0.5 s", "audio s/s", 2 * rows, () =>
            {
                device.Workspace.Reset();
                ConvolveRir.Apply(waves, bank, rooms);
            }, 8.0 * rows * samples),
        ], HasProducts: false);
    }

    private sealed class SilentSource(int count, int samples) : PcmSource
    {
        private readonly short[] _samples = GC.AllocateArray<short>(samples, pinned: true);

        public override int Count => count;

        public override ReadOnlySpan<short> Utterance(int index) => _samples;
    }
}
