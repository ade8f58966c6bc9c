using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>
/// The parts of an encoder's inference one by one, in the sizes in which <see cref="EncoderCases"/> runs them: where its time goes. One case stands for all
/// parts of its sizes: of ECAPA-TDNN's three blocks, each has two layers of one tap and one set of gates.
/// </summary>
internal static class EncoderLayerCases
{
    private const int Frames = 200;

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("layers_xvector", "the layers of the x-vector, one by one, in inference", XVector),
        new("layers_ecapa_c512", "the layers of ECAPA-TDNN, one by one, in inference", Ecapa),
    ];

    private static List<BenchmarkCase> XVector(Device device)
    {
        var parts = new Parts(device, "layers_xvector", device is CpuDevice ? 64 : 256);
        var spec = EncoderCases.XVector;
        int width = spec.Width, last = spec.LastWidth, frames = Frames;
        var cases = new List<BenchmarkCase>();
        (int Inputs, int Outputs, int Taps, int Dilation)[] layers = [(spec.Bins, width, 5, 1), (width, width, 3, 2), (width, width, 3, 3), (width, width, 1, 1), (width, last, 1, 1)];
        foreach (var (inputs, outputs, taps, dilation) in layers)
        {
            cases.Add(parts.Convolution(inputs, outputs, taps, dilation, frames, Padding.Valid, ActivationKind.LeakyRelu));
            frames -= dilation * (taps - 1);
        }

        var pooled = parts.Input(frames, last);
        cases.Add(parts.Case("pool", [new("channels", last), new("frames", frames)], 0, () => StatsPool.Forward(null, pooled)));
        cases.Add(parts.Embedding(2 * last, spec.EmbeddingSize));
        parts.Allocate();
        return cases;
    }

    private static List<BenchmarkCase> Ecapa(Device device)
    {
        var parts = new Parts(device, "layers_ecapa_c512", device is CpuDevice ? 32 : 128);
        var spec = EncoderCases.Ecapa;
        int width = spec.Width, last = spec.LastWidth, group = width / spec.Scale;
        var x = parts.Input(Frames, width);
        var cases = new List<BenchmarkCase> { parts.Convolution(spec.Bins, width, 5, 1, Frames, Padding.Zero), parts.Convolution(width, width, 1, 1, Frames, Padding.Zero) };
        foreach (int dilation in (int[])[2, 3, 4])
        {
            CaseSize[] sizes = [new("channels", width), new("groups", spec.Scale), new("taps", 3), new("frames", Frames), new("dilation", dilation)];
            var res2 = new Res2Layer(parts.Parameters, $"res2.{dilation}", width, spec.Scale, 3, dilation, Padding.Zero, spec.Variant);
            var sums = parts.Input(Frames, width);
            cases.Add(parts.Case("res2", sizes, 2.0 * (spec.Scale - 1) * group * group * 3 * Frames, () => res2.Forward(null, sums, training: false)));
        }

        var (reduce, expand) = (parts.Linear("reduce", width, spec.Bottleneck), parts.Linear("expand", spec.Bottleneck, width));
        cases.Add(parts.Case("gates", [new("channels", width), new("frames", Frames)], 0, () =>
            SqueezeExcite.Forward(null, x, reduce.Weight, reduce.Bias, expand.Weight, expand.Bias, residual: x)));

        var aggregation = new Conv1dLayer(parts.Parameters, "aggregation", 3 * width, last);
        var all = parts.Input(Frames, 3 * width);
        cases.Add(parts.Case("aggregation", [new("input", 3 * width), new("output", last), new("frames", Frames)], 2.0 * 3 * width * last * Frames, () =>
        {
            var y = aggregation.Forward(null, all);
            Activation.Forward(null, y, ActivationKind.Relu, output: y);
        }));

        var (context, score) = (parts.Linear("context", 3 * last, spec.Bottleneck), parts.Linear("score", spec.Bottleneck, last));
        var attention = new AttentiveStatsParameters(context.Weight, context.Bias, score.Weight, score.Bias);
        var pooled = parts.Input(Frames, last);
        cases.Add(parts.Case("pool", [new("channels", last), new("frames", Frames)], 4.0 * last * spec.Bottleneck * Frames, () =>
            AttentiveStatsPool.Forward(null, pooled, attention, training: false, eps: 1e-7f, context: PoolVariance.UnbiasedPlusEps)));
        cases.Add(parts.Embedding(2 * last, spec.EmbeddingSize));
        parts.Allocate();

        // The layer adds each group's result to the next group of its input, call after call: they must add nothing.
        foreach (var scale in parts.Parameters.Trainable.Where(p => p.Name.StartsWith("res2.", StringComparison.Ordinal) && p.Name.EndsWith(".norm.weight", StringComparison.Ordinal)))
        {
            device.Zero(scale.Value);
        }

        return cases;
    }

    // What the layers of one encoder share.
    private sealed class Parts(Device device, string prefix, int batch)
    {
        private int _layer;

        public ParameterSet Parameters { get; } = new(device);

        // All weights are declared before they get their memory.
        public void Allocate() => Parameters.Allocate(1, gradients: false);

        public Tensor Input(int frames, int channels) => Inputs.Random(device, new Shape(batch, frames, channels), 1);

        public LinearLayer Linear(string name, int inputs, int outputs) => new(Parameters, name, inputs, outputs);

        public BenchmarkCase Convolution(int inputs, int outputs, int taps, int dilation, int frames, Padding padding, ActivationKind activation = ActivationKind.Relu)
        {
            int number = ++_layer, used = padding == Padding.Valid ? frames - (dilation * (taps - 1)) : frames;
            var block = new FrameBlock(Parameters, $"frames.{number}", inputs, outputs, taps, dilation, padding, activation);
            var x = Input(frames, inputs);
            CaseSize[] sizes = [new("layer", number), new("input", inputs), new("output", outputs), new("taps", taps), new("frames", frames), new("dilation", dilation)];
            return Case("frames", sizes, 2.0 * used * inputs * outputs * taps, () => block.Forward(null, x, training: false));
        }

        public BenchmarkCase Embedding(int inputs, int outputs)
        {
            var map = Linear("embedding", inputs, outputs);
            var x = Inputs.Random(device, new Shape(batch, inputs), 1);
            return Case("embedding", [new("input", inputs), new("output", outputs)], 2.0 * inputs * outputs, () => map.Forward(null, x));
        }

        public BenchmarkCase Case(string name, CaseSize[] sizes, double operationsOfEach, Action op) => new($"{prefix}_{name}", [new("batch", batch), .. sizes], "utt/s", batch, () =>
        {
            device.Workspace.Reset();
            op();
        })
        {
            Operations = operationsOfEach * batch,
        };
    }
}
