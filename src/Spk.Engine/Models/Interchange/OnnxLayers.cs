using Spk.Engine.Autograd;

namespace Spk.Engine.Models.Interchange;

/// <summary>What lies beyond the ends of a recording.</summary>
internal enum PaddingMode
{
    Valid,
    Zero,
    Reflect,
}

/// <summary>The layers of our encoders as ONNX nodes, on frames [N, C, T] and maps [N, C, H, W]. Layers are named as their parameters.</summary>
internal sealed partial class OnnxLayers(OnnxGraph graph, ParameterSet parameters)
{
    private const int Time = 2;

    private static readonly int[] OneTap = [1], TimeAxis = [Time];

    private readonly Dictionary<string, Parameter> _parameters = parameters.All.ToDictionary(p => p.Name, StringComparer.Ordinal);

    public string Conv(string layer, string x, int dilation, PaddingMode padding)
    {
        int kernel = _parameters[Full(layer) + ".weight"].FileShape[2], side = dilation * (kernel - 1) / 2;
        if (padding == PaddingMode.Reflect && side > 0)
        {
            x = graph.Node("Pad", [x, graph.Integers(0, 0, side, 0, 0, side)], At("mode", "reflect"));
        }

        int zeros = padding == PaddingMode.Zero ? side : 0;
        return graph.Node(
            "Conv", [x, Weight(layer, "weight"), Weight(layer, "bias")],
            At("kernel_shape", new[] { kernel }), At("dilations", new[] { dilation }), At("pads", new[] { zeros, zeros }));
    }

    public string Norm(string layer, string x)
    {
        int channels = _parameters[Full(layer) + ".running_mean"].Shape.Count;
        bool affine = _parameters.ContainsKey(Full(layer) + ".weight");
        return graph.Node(
            "BatchNormalization",
            [
                x,
                affine ? Weight(layer, "weight") : graph.Constant($"ones_{channels}", [.. Enumerable.Repeat(1f, channels)], channels),
                affine ? Weight(layer, "bias") : graph.Constant($"zeros_{channels}", new float[channels], channels),
                Weight(layer, "running_mean"),
                Weight(layer, "running_var"),
            ],
            At("epsilon", 1e-5f));
    }

    public string Transpose(string x, params int[] axes) => graph.Node("Transpose", [x], At("perm", axes));

    public string Activate(string type, string x) => type == "LeakyRelu" ? graph.Node(type, [x], At("alpha", 0.01f)) : graph.Node(type, [x]);

    public string Linear(string layer, string x) => graph.Node("Gemm", [x, Weight(layer, "weight"), Weight(layer, "bias")], At("transB", 1));

    public string Add(string a, string b) => graph.Node("Add", [a, b]);

    public string Concat(params string[] parts) => graph.Node("Concat", parts, At("axis", 1));

    /// <summary>Convolution, activation, batch norm.</summary>
    public string Frame(string layer, string x, int dilation, PaddingMode padding, string activation = "Relu") =>
        Norm(layer + ".norm", Activate(activation, Conv(layer + ".conv", x, dilation, padding)));

    public string Res2(string layer, string x, int groups, int dilation, PaddingMode padding, bool firstUntouched)
    {
        int width = _parameters[Full(layer) + ".0.conv.bias"].Shape.Count;
        string[] parts = graph.Node("Split", [x, graph.Integers([.. Enumerable.Repeat((long)width, groups)])], groups, At("axis", 1));
        string? before = null;
        for (int i = 0; i < groups - 1; i++)
        {
            int at = firstUntouched ? i + 1 : i;
            before = Frame($"{layer}.{i}", before is null ? parts[at] : Add(parts[at], before), dilation, padding);
            parts[at] = before;
        }

        return Concat(parts);
    }

    /// <summary>Squeeze and excitation: gates from means over the axes behind the channels.</summary>
    public string Excite(string reduce, string expand, string x, int[] axes)
    {
        string mean = graph.Node("ReduceMean", [x], At("axes", axes), At("keepdims", 0));
        string gates = graph.Node("Sigmoid", [Linear(expand, Activate("Relu", Linear(reduce, mean)))]);
        return graph.Node("Mul", [x, graph.Node("Unsqueeze", [gates, graph.Integers([.. axes.Select(axis => (long)axis)])])]);
    }

    /// <summary>Mean and deviation over time: √(unbiased variance + eps), or √max(biased variance, eps).</summary>
    public string Pool(string x, bool unbiased, float eps, bool keepTime)
    {
        string mean = Mean(x), centred = graph.Node("Sub", [x, mean]), variance = Mean(graph.Node("Mul", [centred, centred]));
        if (unbiased)
        {
            string frames = graph.Node("Cast", [graph.Node("Gather", [graph.Node("Shape", [x]), graph.Integers(Time)])], At("to", 1));
            string ratio = graph.Node("Div", [frames, graph.Node("Sub", [frames, graph.Number(1)])]);
            variance = Add(graph.Node("Mul", [variance, ratio]), graph.Number(eps));
        }
        else
        {
            variance = graph.Node("Max", [variance, graph.Number(eps)]);
        }

        string both = Concat(mean, graph.Node("Sqrt", [variance]));
        return keepTime ? both : graph.Node("Squeeze", [both, graph.Integers(Time)]);

        string Mean(string of) => graph.Node("ReduceMean", [of], At("axes", TimeAxis), At("keepdims", 1));
    }

    /// <summary>Attention-weighted mean and deviation, with the whole recording's as context.</summary>
    public string AttentivePool(string layer, string x, bool sslsv)
    {
        float eps = sslsv ? 1e-12f : 1e-7f;
        string context = Pool(x, unbiased: !sslsv, eps, keepTime: true);
        string frames = graph.Node("Expand", [context, graph.Node("Concat", [graph.Integers(1, 1), graph.Node("Gather", [graph.Node("Shape", [x]), graph.Integers(Time)])], At("axis", 0))]);
        string hidden = Pointwise(layer + ".context", Concat(x, frames));
        hidden = graph.Node("Tanh", [sslsv ? Norm(layer + ".norm", Activate("Relu", hidden)) : hidden]);
        string weights = graph.Node("Softmax", [Pointwise(layer + ".score", hidden)], At("axis", Time));
        string mean = Sum(graph.Node("Mul", [weights, x])), centred = graph.Node("Sub", [x, mean]);
        string variance = Sum(graph.Node("Mul", [weights, graph.Node("Mul", [centred, centred])]));
        string deviation = graph.Node("Sqrt", [graph.Node("Max", [variance, graph.Number(eps)])]);
        return graph.Node("Squeeze", [Concat(mean, deviation), graph.Integers(Time)]);
    }

    private string Sum(string frames) => graph.Node("ReduceSum", [frames, graph.Integers(Time)], At("keepdims", 1));

    // A linear map over channels at every frame.
    private string Pointwise(string layer, string x)
    {
        var weight = _parameters[Full(layer) + ".weight"];
        string kernel = graph.Constant(layer + ".weight", Values(weight), weight.Shape[0], weight.Shape[1], 1);
        return graph.Node("Conv", [x, kernel, Weight(layer, "bias")], At("kernel_shape", OneTap));
    }

    private string Weight(string layer, string part)
    {
        var parameter = _parameters[$"{Full(layer)}.{part}"];
        int[] shape = [.. Enumerable.Range(0, parameter.FileShape.Rank).Select(i => parameter.FileShape[i])];
        return graph.Constant($"{layer}.{part}", Values(parameter), shape);
    }

    private static float[] Values(Parameter parameter)
    {
        var values = new float[parameter.Shape.Count];
        parameter.ExportTo(values);
        return values;
    }

    private static string Full(string layer) => ModelKeys.EncoderPrefix + layer;

    private static OnnxGraph.Attribute At(string name, object value) => new(name, value);
}
