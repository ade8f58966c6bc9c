using Spk.Engine.Autograd;

namespace Spk.Engine.Models.Interchange;

/// <content>Layers of the ResNet and the GRU.</content>
internal sealed partial class OnnxLayers
{
    private const int Frequency = 2, Gates = 3;

    private static readonly int[] FrequencyAxis = [Frequency];

    /// <summary>Whether a layer has a weight.</summary>
    public bool Has(string layer) => _parameters.ContainsKey(Full(layer) + ".weight");

    /// <summary>Inputs of a linear layer.</summary>
    public int Inputs(string layer) => _parameters[Full(layer) + ".weight"].FileShape[1];

    /// <summary>Frames [N, F, T] as maps of one channel [N, 1, F, T].</summary>
    public string Maps(string frames) => graph.Node("Unsqueeze", [frames, graph.Integers(1)]);

    /// <summary>Maps [N, C, H, W] as frames [N, C · H, W].</summary>
    public string Rows(string maps, int rows) => graph.Node("Reshape", [maps, graph.Integers(0, rows, -1)]);

    /// <summary>A square convolution without bias that keeps the size at stride 1.</summary>
    public string Conv2d(string layer, string x, int strideHeight = 1, int strideWidth = 1)
    {
        int kernel = _parameters[Full(layer) + ".weight"].FileShape[3], side = kernel / 2;
        return graph.Node(
            "Conv", [x, Weight(layer, "weight")],
            At("kernel_shape", new[] { kernel, kernel }), At("strides", new[] { strideHeight, strideWidth }), At("pads", new[] { side, side, side, side }));
    }

    /// <summary>Mean over frequency, then the attention-weighted mean over time: [N, C].</summary>
    public string SelfAttentivePool(string hidden, string attention, string maps)
    {
        string frames = graph.Node("ReduceMean", [maps], At("axes", FrequencyAxis), At("keepdims", 0));
        var vector = _parameters[Full(attention)];
        string kernel = graph.Constant(attention, Values(vector), 1, vector.Shape[0], 1);
        string scores = graph.Node("Conv", [graph.Node("Tanh", [Pointwise(hidden, frames)]), kernel], At("kernel_shape", OneTap));
        string weights = graph.Node("Softmax", [scores], At("axis", Time));
        return graph.Node("Squeeze", [Sum(graph.Node("Mul", [weights, frames])), graph.Integers(Time)]);
    }

    /// <summary>One recurrent layer over [T, N, C].</summary>
    /// <returns>States [T, N, H].</returns>
    public string Gru(string layers, int index, string x)
    {
        string suffix = FormattableString.Invariant($"_l{index}");
        var (input, hidden) = (Parameter("weight_ih"), Parameter("weight_hh"));
        int units = hidden.Shape[1];
        float[] biases = [.. UpdateFirst(Parameter("bias_ih")), .. UpdateFirst(Parameter("bias_hh"))];
        string states = graph.Node(
            "GRU",
            [
                x,
                graph.Constant($"{layers}.weight_ih{suffix}", UpdateFirst(input), 1, input.Shape[0], input.Shape[1]),
                graph.Constant($"{layers}.weight_hh{suffix}", UpdateFirst(hidden), 1, hidden.Shape[0], units),
                graph.Constant($"{layers}.bias{suffix}", biases, 1, biases.Length),
            ],
            At("hidden_size", units), At("linear_before_reset", 1));

        // An axis of directions, of which there is one.
        return graph.Node("Squeeze", [states, graph.Integers(1)]);

        Parameter Parameter(string name) => _parameters[$"{Full(layers)}.{name}{suffix}"];
    }

    // ONNX has the gates in the order update, reset, new.
    private static float[] UpdateFirst(Parameter parameter)
    {
        float[] values = Values(parameter);
        int gate = values.Length / Gates;
        return [.. values.AsSpan(gate, gate), .. values.AsSpan(0, gate), .. values.AsSpan(2 * gate)];
    }
}
