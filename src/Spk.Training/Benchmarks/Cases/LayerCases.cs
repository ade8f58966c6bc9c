using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Single layers on the frames of a batch.</summary>
internal static class LayerCases
{
    private const int Frames = 200, Channels = 512;

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("conv1d", "convolutions over time", d =>
        [
            .. Convolution(d, 512, 512, 5), .. Convolution(d, 512, 512, 3), .. Convolution(d, 80, 512, 5), .. Convolution(d, 512, 1500, 1),
        ]),
        new("conv1d_norm", "convolution, ReLU and batch normalisation as one block", Block),
        new("batch_norm_relu", "ReLU and batch normalisation in one op", Normalization) { HasProducts = false },
        new("squeeze_excite", "channel gates with a residual link", Gates) { HasProducts = false },
        new("activation_gelu", "GELU", d =>
        {
            var x = Inputs.Random(d, Maps(d), 1);
            return [Forward(d, "activation_gelu", 2, () => Activation.Forward(null, x, ActivationKind.Gelu))];
        }) { HasProducts = false },
        new("stats_pool", "mean and deviation over time", Pooling) { HasProducts = false },
    ];

    private static int Batch(Device device) => device is CpuDevice ? 16 : 256;

    private static Shape Maps(Device device) => new(Batch(device), Frames, Channels);

    private static IReadOnlyList<BenchmarkCase> Convolution(Device device, int input, int output, int taps)
    {
        int batch = Batch(device), rows = batch * Frames, used = batch * (Frames - taps + 1);
        var parameters = new ParameterSet(device);
        var weight = parameters.Add("weight", new Shape(output, taps, input), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var x = Inputs.Random(device, new Shape(batch, Frames, input), 1);
        var dy = Inputs.Random(device, new Shape(batch, Frames - taps + 1, output), 2);
        var tape = new Tape();
        double operations = 2.0 * used * input * output * taps;
        double bytes = 4 * (((double)rows * input) + ((double)used * output) + ((double)taps * input * output));
        CaseSize[] sizes = [new("input", input), new("output", output), new("taps", taps), new("batch", batch), new("frames", Frames)];
        return
        [
            new("conv1d_forward", sizes, "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                Conv1d.Forward(null, x, weight.Value, null);
            })
            {
                Bytes = bytes,
                Operations = operations,
            },
            new("conv1d_forward_backward", sizes, "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();
                x.BeginGradient();
                tape.Backward(Conv1d.Forward(tape, x, weight.Value, null), dy);
            })
            {
                Bytes = 3 * bytes,
                Operations = 3 * operations,
            },
        ];
    }

    // Inference stores the normalised frames alone. Training stores the convolution's, too, and reads them once more.
    private static IReadOnlyList<BenchmarkCase> Block(Device device)
    {
        const int taps = 5;
        int batch = Batch(device), used = Frames - taps + 1;
        var parameters = new ParameterSet(device);
        var block = new FrameBlock(parameters, "block", Channels, Channels, taps);
        parameters.Allocate(1);
        var x = Inputs.Random(device, Maps(device), 1);
        var dy = Inputs.Random(device, new Shape(batch, used, Channels), 2);
        double output = 4.0 * batch * used * Channels, operations = 2.0 * batch * used * Channels * Channels * taps;
        double bytes = (4.0 * (Maps(device).Count + (taps * Channels * Channels))) + output;
        CaseSize[] sizes = [.. Sizes(device), new("taps", taps)];
        BenchmarkCase Forward(string name, bool training, double extra) => new(name, sizes, "utt/s", batch, () =>
        {
            device.Workspace.Reset();
            block.Forward(null, x, training);
        })
        {
            Bytes = bytes + extra,
            Operations = operations,
        };
        var tape = new Tape();
        return
        [
            Forward("conv1d_norm_inference", training: false, 0),
            Forward("conv1d_norm_training", training: true, 2 * output),
            new("conv1d_norm_forward_backward", sizes, "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                tape.Clear();
                parameters.ZeroGradients();
                x.BeginGradient();
                tape.Backward(block.Forward(tape, x, training: true), dy);
            })
            {
                Bytes = (3 * bytes) + (7 * output),
                Operations = 3 * operations,
            },
        ];
    }

    private static IReadOnlyList<BenchmarkCase> Normalization(Device device)
    {
        var parameters = new ParameterSet(device);
        Parameter Add(string name) => parameters.Add(name, new Shape(Channels), Initializer.XavierNormal(1, 1));
        var (gamma, beta, mean, variance) = (Add("gamma"), Add("beta"), Add("mean"), Add("variance"));
        parameters.Allocate(1);
        var x = Inputs.Random(device, Maps(device), 1);
        var dy = Inputs.Random(device, Maps(device), 2);
        Tensor Norm(Tape? tape, Tensor input) => BatchNorm.Forward(tape, input, gamma, beta, mean, variance, training: true, before: ActivationKind.Relu);
        return
        [
            Forward(device, "batch_norm_relu", 3, () => Norm(null, x)),
            ForwardBackward(device, "batch_norm_relu", 8, parameters, x, dy, Norm),
        ];
    }

    private static IReadOnlyList<BenchmarkCase> Gates(Device device)
    {
        const int hidden = 128;
        var parameters = new ParameterSet(device);
        Parameter Add(string name, Shape shape) => parameters.Add(name, shape, Initializer.XavierNormal(1, 1));
        var (reduce, reduceBias) = (Add("reduce", new Shape(hidden, Channels)), Add("reduceBias", new Shape(hidden)));
        var (expand, expandBias) = (Add("expand", new Shape(Channels, hidden)), Add("expandBias", new Shape(Channels)));
        parameters.Allocate(1);
        var x = Inputs.Random(device, Maps(device), 1);
        return [Forward(device, "squeeze_excite", 4, () => SqueezeExcite.Forward(null, x, reduce, reduceBias, expand, expandBias, residual: x))];
    }

    private static IReadOnlyList<BenchmarkCase> Pooling(Device device)
    {
        var x = Inputs.Random(device, Maps(device), 1);
        var dy = Inputs.Random(device, new Shape(Batch(device), 2 * Channels), 2);
        return
        [
            Forward(device, "stats_pool", 1, () => StatsPool.Forward(null, x)),
            ForwardBackward(device, "stats_pool", 3, null, x, dy, static (tape, input) => StatsPool.Forward(tape, input)),
        ];
    }

    private static CaseSize[] Sizes(Device device) => [new("batch", Batch(device)), new("frames", Frames), new("channels", Channels)];

    // passes: how often the layer must walk over its maps.
    private static BenchmarkCase Forward(Device device, string name, double passes, Action op) => new(name + "_forward", Sizes(device), "utt/s", Batch(device), () =>
    {
        device.Workspace.Reset();
        op();
    })
    {
        Bytes = passes * 4 * Maps(device).Count,
    };

    private static BenchmarkCase ForwardBackward(
        Device device, string name, double passes, ParameterSet? parameters, Tensor x, Tensor gradient, Func<Tape?, Tensor, Tensor> op)
    {
        var tape = new Tape();
        return new(name + "_forward_backward", Sizes(device), "utt/s", Batch(device), () =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters?.ZeroGradients();
            x.BeginGradient();
            tape.Backward(op(tape, x), gradient);
        })
        {
            Bytes = passes * 4 * x.Count,
        };
    }
}
