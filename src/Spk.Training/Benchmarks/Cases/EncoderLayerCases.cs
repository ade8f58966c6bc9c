using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>
/// The parts of an encoder one by one, in the sizes in which <see cref="EncoderCases"/> runs them, in inference and in a step of training (forward and
/// backward, from a gradient that is copied in): where its time goes. One case stands for all parts of its sizes: of ECAPA-TDNN's three blocks, each has two
/// layers of one tap and one set of gates.
/// </summary>
internal static class EncoderLayerCases
{
    private const int Frames = 200;

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("layers_xvector", "the layers of the x-vector, one by one, in inference", d => XVector(d, "layers_xvector", training: false)),
        new("layers_ecapa_c512", "the layers of ECAPA-TDNN, one by one, in inference", d => Ecapa(d, "layers_ecapa_c512", training: false)),
        new("layers_step_xvector", "the layers of the x-vector, one by one, forward and backward", d => XVector(d, "layers_step_xvector", training: true)),
        new("layers_step_ecapa_c512", "the layers of ECAPA-TDNN, one by one, forward and backward", d => Ecapa(d, "layers_step_ecapa_c512", training: true)),
    ];

    private static List<BenchmarkCase> XVector(Device device, string prefix, bool training)
    {
        var parts = new Parts(device, prefix, device is CpuDevice ? 64 : 256, training);
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
        cases.Add(parts.Case("pool", [new("channels", last), new("frames", frames)], 0, tape => StatsPool.Forward(tape, pooled)));
        cases.Add(parts.Embedding(2 * last, spec.EmbeddingSize));
        parts.Allocate();
        return cases;
    }

    private static List<BenchmarkCase> Ecapa(Device device, string prefix, bool training)
    {
        var parts = new Parts(device, prefix, device is CpuDevice ? 32 : 128, training);
        var spec = EncoderCases.Ecapa;
        int width = spec.Width, last = spec.LastWidth, group = width / spec.Scale;
        var x = parts.Input(Frames, width);
        var cases = new List<BenchmarkCase> { parts.Convolution(spec.Bins, width, 5, 1, Frames, Padding.Zero), parts.Convolution(width, width, 1, 1, Frames, Padding.Zero) };
        foreach (int dilation in (int[])[2, 3, 4])
        {
            CaseSize[] sizes = [new("channels", width), new("groups", spec.Scale), new("taps", 3), new("frames", Frames), new("dilation", dilation)];
            var res2 = new Res2Layer(parts.Parameters, $"res2.{dilation}", width, spec.Scale, 3, dilation, Padding.Zero, spec.Variant);
            var sums = parts.Input(Frames, width);
            cases.Add(parts.Case("res2", sizes, 2.0 * (spec.Scale - 1) * group * group * 3 * Frames, tape => res2.Forward(tape, sums, training)));
        }

        var (reduce, expand) = (parts.Linear("reduce", width, spec.Bottleneck), parts.Linear("expand", spec.Bottleneck, width));
        cases.Add(parts.Case("gates", [new("channels", width), new("frames", Frames)], 0, tape =>
            SqueezeExcite.Forward(tape, x, reduce.Weight, reduce.Bias, expand.Weight, expand.Bias, residual: x)));

        var aggregation = new Conv1dLayer(parts.Parameters, "aggregation", 3 * width, last);
        var all = parts.Input(Frames, 3 * width);
        cases.Add(parts.Case("aggregation", [new("input", 3 * width), new("output", last), new("frames", Frames)], 2.0 * 3 * width * last * Frames, tape =>
        {
            var y = aggregation.Forward(tape, all);
            return Activation.Forward(tape, y, ActivationKind.Relu, output: y);
        }));

        var (context, score) = (parts.Linear("context", 3 * last, spec.Bottleneck), parts.Linear("score", spec.Bottleneck, last));
        var attention = new AttentiveStatsParameters(context.Weight, context.Bias, score.Weight, score.Bias);
        var pooled = parts.Input(Frames, last);
        cases.Add(parts.Case("pool", [new("channels", last), new("frames", Frames)], 4.0 * last * spec.Bottleneck * Frames, tape =>
            AttentiveStatsPool.Forward(tape, pooled, attention, training, eps: 1e-7f, context: PoolVariance.UnbiasedPlusEps)));
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
    private sealed class Parts(Device device, string prefix, int batch, bool training)
    {
        private readonly List<Tensor> _inputs = [];
        private int _layer;

        public ParameterSet Parameters { get; } = new(device);

        // All weights are declared before they get their memory.
        public void Allocate() => Parameters.Allocate(1, gradients: training);

        public Tensor Input(int frames, int channels, bool isComputed = true) => Input(new Shape(batch, frames, channels), isComputed);

        public LinearLayer Linear(string name, int inputs, int outputs) => new(Parameters, name, inputs, outputs);

        public BenchmarkCase Convolution(int inputs, int outputs, int taps, int dilation, int frames, Padding padding, ActivationKind activation = ActivationKind.Relu)
        {
            int number = ++_layer, used = padding == Padding.Valid ? frames - (dilation * (taps - 1)) : frames;
            var block = new FrameBlock(Parameters, $"frames.{number}", inputs, outputs, taps, dilation, padding, activation);
            bool isFirst = number == 1;
            var x = Input(frames, inputs, isComputed: !isFirst);
            CaseSize[] sizes = [new("layer", number), new("input", inputs), new("output", outputs), new("taps", taps), new("frames", frames), new("dilation", dilation)];
            return Case("frames", sizes, 2.0 * used * inputs * outputs * taps, tape => block.Forward(tape, x, training), isFirst);
        }

        public BenchmarkCase Embedding(int inputs, int outputs)
        {
            var map = Linear("embedding", inputs, outputs);
            var x = Input(new Shape(batch, inputs));
            return Case("embedding", [new("input", inputs), new("output", outputs)], 2.0 * inputs * outputs, tape => map.Forward(tape, x));
        }

        // Features want no gradient, so the first layer has a product less in its backward pass.
        public BenchmarkCase Case(string name, CaseSize[] sizes, double productOfEach, Func<Tape?, Tensor> op, bool isFirst = false)
        {
            var tape = training ? new Tape() : null;
            Tensor? gradient = null;
            int products = !training ? 1 : isFirst ? 2 : 3;
            return new($"{prefix}_{name}", [new("batch", batch), .. sizes], "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                if (tape is null)
                {
                    op(null);
                    return;
                }

                tape.Clear();
                _inputs.ForEach(input => input.BeginGradient());
                var y = op(tape);
                tape.Backward(y, Add.Copy(null, gradient ??= Inputs.Random(device, y.Shape, 2), device.Workspace.Rent(y.Shape)));
            })
            {
                Operations = products * productOfEach * batch,
            };
        }

        private Tensor Input(Shape shape, bool isComputed = true)
        {
            var input = Inputs.Random(device, shape, 1);
            if (training && isComputed)
            {
                _inputs.Add(input);
            }

            return input;
        }
    }
}
