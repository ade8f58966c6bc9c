using System.Runtime.InteropServices;
using System.Text;

namespace Spk.Tests.Support;

/// <summary>
/// Reads an ONNX file by the field numbers of onnx.proto and runs it in f64, with plain loops over the operators that speaker encoders
/// use. It shares nothing with the code that writes such files.
/// </summary>
internal sealed class OnnxModel
{
    private readonly List<Node> _nodes = [];
    private readonly Dictionary<string, OnnxArray> _constants = [];

    public string Input { get; private set; } = "";

    public string Output { get; private set; } = "";

    public long OperatorSet { get; private set; }

    public Dictionary<string, string> Metadata { get; } = [];

    public static OnnxModel Read(string path)
    {
        var model = new OnnxModel();
        foreach (var field in Fields(File.ReadAllBytes(path)))
        {
            switch (field.Number)
            {
                case 7:
                    model.ReadGraph(field.Bytes);
                    break;
                case 8:
                    model.OperatorSet = Fields(field.Bytes).Single(f => f.Number == 2).Value;
                    break;
                case 14:
                    var pair = Fields(field.Bytes).ToDictionary(f => f.Number, f => f.Text);
                    model.Metadata[pair[1]] = pair[2];
                    break;
            }
        }

        return model;
    }

    /// <summary>Features [N, T, F] to embeddings [N, E].</summary>
    public double[] Run(double[] features, params int[] shape)
    {
        var values = new Dictionary<string, OnnxArray>(_constants) { [Input] = new(features, shape) };
        foreach (var node in _nodes)
        {
            OnnxArray[] x = [.. node.Inputs.Select(name => values[name])];
            if (node.Type == "Split")
            {
                int at = 0;
                for (int i = 0; i < node.Outputs.Count; i++)
                {
                    int size = (int)x[1].Data[i], from = at;
                    values[node.Outputs[i]] = OnnxArray.Of([x[0].Shape[0], size, x[0].Shape[2]], (n, c, t, _) => x[0][n, from + c, t]);
                    at += size;
                }
            }
            else
            {
                values[node.Outputs.Single()] = Evaluate(node, x);
            }
        }

        return values[Output].Data;
    }

    private static OnnxArray Evaluate(Node node, OnnxArray[] x) => node.Type switch
    {
        "Identity" or "Cast" => x[0],
        "Transpose" => x[0].Transpose(node.Integers("perm")),
        "Relu" => x[0].Map(v => Math.Max(v, 0)),
        "LeakyRelu" => x[0].Map(v => v < 0 ? node.Float("alpha") * v : v),
        "Tanh" => x[0].Map(Math.Tanh),
        "Sigmoid" => x[0].Map(v => 1 / (1 + Math.Exp(-v))),
        "Sqrt" => x[0].Map(Math.Sqrt),
        "Add" => OnnxArray.Zip(x[0], x[1], (a, b) => a + b),
        "Sub" => OnnxArray.Zip(x[0], x[1], (a, b) => a - b),
        "Mul" => OnnxArray.Zip(x[0], x[1], (a, b) => a * b),
        "Div" => OnnxArray.Zip(x[0], x[1], (a, b) => a / b),
        "Max" => OnnxArray.Zip(x[0], x[1], Math.Max),
        "Shape" => new OnnxArray([.. x[0].Shape.Select(n => (double)n)], [x[0].Shape.Length]),
        "Gather" => new OnnxArray([.. x[1].Data.Select(i => x[0].Data[(int)i])], [x[1].Data.Length]),
        "Expand" => OnnxArray.Zip(x[0], OnnxArray.Of([.. x[1].Data.Select(n => (int)n)], (_, _, _, _) => 0), (a, _) => a),
        "Reshape" => x[0].Reshape(x[1].Data),
        "Squeeze" => new OnnxArray(x[0].Data, [.. x[0].Shape.Where((_, axis) => !x[1].Data.Contains(axis))]),
        "Unsqueeze" => Unsqueeze(x[0], x[1].Data),
        "ReduceMean" => Reduce(x[0], node.Integers("axes"), node.Integer("keepdims", 1), mean: true),
        "ReduceSum" => Reduce(x[0], [.. x[1].Data.Select(axis => (int)axis)], node.Integer("keepdims", 1), mean: false),
        "Concat" => Concat(x, node.Integer("axis", 0)),
        "Pad" when node.Text("mode") == "reflect" => Reflect(x[0], (int)x[1].Data[2], (int)x[1].Data[5]),
        "Conv" => Convolve(x, node),
        "BatchNormalization" => Normalize(x, node.Float("epsilon")),
        "Gemm" when node.Integer("transB", 0) == 1 => OnnxArray.Of(
            [x[0].Shape[0], x[1].Shape[0]], (n, o, _, _) => x[2].Data[o] + Enumerable.Range(0, x[1].Shape[1]).Sum(i => x[0][n, i] * x[1][o, i])),
        "Softmax" when node.Integer("axis", -1) == 2 => Softmax(x[0]),
        "GRU" when node.Integer("linear_before_reset", 0) == 1 => Recur(x, node.Integer("hidden_size", 0)),
        _ => throw new NotSupportedException($"operator {node.Type}"),
    };

    private static OnnxArray Unsqueeze(OnnxArray x, double[] axes)
    {
        List<int> shape = [.. x.Shape];
        foreach (double axis in axes.Order())
        {
            shape.Insert((int)axis, 1);
        }

        return new OnnxArray(x.Data, [.. shape]);
    }

    private static OnnxArray Reduce(OnnxArray x, int[] axes, int keep, bool mean)
    {
        int[] lengths = [.. Enumerable.Range(0, 4).Select(axis => axes.Contains(axis) ? x.Axis(axis) : 1)];
        int[] kept = [.. x.Shape.Select((length, axis) => axes.Contains(axis) ? 1 : length)];
        double count = lengths.Aggregate(1, (a, b) => a * b);
        var reduced = OnnxArray.Of(kept, (a, b, c, d) =>
        {
            double sum = 0;
            for (int i = 0; i < (int)count; i++)
            {
                int rest = i, l = rest % lengths[3], k = (rest /= lengths[3]) % lengths[2], j = (rest /= lengths[2]) % lengths[1];
                sum += x[a + (rest / lengths[1]), b + j, c + k, d + l];
            }

            return mean ? sum / count : sum;
        });
        return keep == 1 ? reduced : new OnnxArray(reduced.Data, [.. x.Shape.Where((_, axis) => !axes.Contains(axis))]);
    }

    private static OnnxArray Concat(OnnxArray[] parts, int axis)
    {
        if (axis == 0)
        {
            return new OnnxArray([.. parts.SelectMany(p => p.Data)], [parts.Sum(p => p.Data.Length)]);
        }

        var (first, channels) = (parts[0], parts.Sum(p => p.Shape[1]));
        return OnnxArray.Of([first.Shape[0], channels, first.Shape[2]], (n, c, t, _) =>
        {
            int part = 0;
            for (; c >= parts[part].Shape[1]; part++)
            {
                c -= parts[part].Shape[1];
            }

            return parts[part][n, c, t];
        });
    }

    private static OnnxArray Reflect(OnnxArray x, int before, int after)
    {
        int frames = x.Shape[2];
        return OnnxArray.Of([x.Shape[0], x.Shape[1], before + frames + after], (n, c, t, _) =>
        {
            int at = Math.Abs(t - before);
            return x[n, c, at < frames ? at : (2 * (frames - 1)) - at];
        });
    }

    // A convolution of frames is one of maps of one row.
    private static OnnxArray Convolve(OnnxArray[] inputs, Node node)
    {
        bool maps = inputs[0].Shape.Length == 4;
        OnnxArray x = maps ? inputs[0] : Unsqueeze(inputs[0], [2]), weight = maps ? inputs[1] : Unsqueeze(inputs[1], [2]);
        var (dilation, pads, strides) = (node.Integers("dilations", 1)[^1], node.Integers("pads", 0), node.Integers("strides", 1));
        int rows = weight.Shape[2], taps = weight.Shape[3], top = maps ? pads[0] : 0, left = pads[maps ? 1 : 0], down = maps ? strides[0] : 1, along = strides[^1];
        int height = Outputs(x.Shape[2], top, rows, 1, down), width = Outputs(x.Shape[3], left, taps, dilation, along);
        var y = OnnxArray.Of([x.Shape[0], weight.Shape[0], height, width], (n, o, h, w) =>
        {
            double sum = inputs.Length > 2 ? inputs[2].Data[o] : 0;
            for (int r = 0; r < rows; r++)
            {
                for (int k = 0; k < taps; k++)
                {
                    int row = (h * down) + r - top, at = (w * along) + (k * dilation) - left;
                    for (int i = 0; row >= 0 && row < x.Shape[2] && at >= 0 && at < x.Shape[3] && i < weight.Shape[1]; i++)
                    {
                        sum += weight[o, i, r, k] * x[n, i, row, at];
                    }
                }
            }

            return sum;
        });
        return maps ? y : new OnnxArray(y.Data, [y.Shape[0], y.Shape[1], y.Shape[3]]);

        static int Outputs(int length, int pad, int taps, int dilation, int stride) => ((length + (2 * pad) - (dilation * (taps - 1)) - 1) / stride) + 1;
    }

    private static OnnxArray Normalize(OnnxArray[] x, double eps) => OnnxArray.Of(
        x[0].Shape, (n, c, h, w) => (x[1].Data[c] * (x[0][n, c, h, w] - x[3].Data[c]) / Math.Sqrt(x[4].Data[c] + eps)) + x[2].Data[c]);

    private static OnnxArray Softmax(OnnxArray x) => OnnxArray.Of(
        x.Shape, (n, c, t, _) => 1 / Enumerable.Range(0, x.Shape[2]).Sum(other => Math.Exp(x[n, c, other] - x[n, c, t])));

    // [T, N, C] to [T, 1, N, H]; gates update, reset, new; both biases in the last input.
    private static OnnxArray Recur(OnnxArray[] x, int units)
    {
        var (input, weight, hidden, bias) = (x[0], x[1], x[2], x[3].Data);
        int frames = input.Shape[0], items = input.Shape[1];
        var states = new double[frames * items * units];
        double[] before = new double[items * units];
        for (int t = 0; t < frames; t++)
        {
            double[] now = new double[before.Length];
            for (int i = 0; i < now.Length; i++)
            {
                var (item, unit) = (i / units, i % units);
                double update = Sigmoid(FromInput(0) + FromState(0)), reset = Sigmoid(FromInput(1) + FromState(1));
                now[i] = ((1 - update) * Math.Tanh(FromInput(2) + (reset * FromState(2)))) + (update * before[i]);

                double FromInput(int gate) => bias[(gate * units) + unit] + Enumerable.Range(0, input.Shape[2]).Sum(c => weight[0, (gate * units) + unit, c] * input[t, item, c]);
                double FromState(int gate) => bias[((gate + 3) * units) + unit] + Enumerable.Range(0, units).Sum(u => hidden[0, (gate * units) + unit, u] * before[(item * units) + u]);
            }

            now.CopyTo(states, t * now.Length);
            before = now;
        }

        return new OnnxArray(states, [frames, 1, items, units]);

        static double Sigmoid(double v) => 1 / (1 + Math.Exp(-v));
    }

    private void ReadGraph(byte[] graph)
    {
        foreach (var field in Fields(graph))
        {
            switch (field.Number)
            {
                case 1:
                    _nodes.Add(new Node(Fields(field.Bytes)));
                    break;
                case 5:
                    var tensor = Fields(field.Bytes);
                    byte[] raw = tensor.Single(f => f.Number == 9).Bytes;
                    double[] data = tensor.Single(f => f.Number == 2).Value == 1
                        ? [.. MemoryMarshal.Cast<byte, float>(raw).ToArray().Select(v => (double)v)]
                        : [.. MemoryMarshal.Cast<byte, long>(raw).ToArray().Select(v => (double)v)];
                    _constants.Add(tensor.Single(f => f.Number == 8).Text, new OnnxArray(data, [.. tensor.Where(f => f.Number == 1).Select(f => (int)f.Value)]));
                    break;
                case 11:
                    Input = Fields(field.Bytes).Single(f => f.Number == 1).Text;
                    break;
                case 12:
                    Output = Fields(field.Bytes).Single(f => f.Number == 1).Text;
                    break;
            }
        }
    }

    private static List<Field> Fields(byte[] message)
    {
        var fields = new List<Field>();
        for (int at = 0; at < message.Length;)
        {
            long key = Varint(message, ref at);
            switch (key & 7)
            {
                case 0:
                    fields.Add(new Field((int)(key >> 3), Varint(message, ref at), []));
                    break;
                case 2:
                    int length = (int)Varint(message, ref at);
                    fields.Add(new Field((int)(key >> 3), 0, message[at..(at + length)]));
                    at += length;
                    break;
                case 5:
                    fields.Add(new Field((int)(key >> 3), 0, message[at..(at + 4)]));
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"wire type {key & 7} at byte {at}");
            }
        }

        return fields;
    }

    private static long Varint(byte[] bytes, ref int at)
    {
        long value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            value |= (long)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }

    private sealed record Field(int Number, long Value, byte[] Bytes)
    {
        public string Text => Encoding.UTF8.GetString(Bytes);
    }

    private sealed class Node(List<Field> fields)
    {
        public List<string> Inputs { get; } = [.. fields.Where(f => f.Number == 1).Select(f => f.Text)];

        public List<string> Outputs { get; } = [.. fields.Where(f => f.Number == 2).Select(f => f.Text)];

        public string Type { get; } = fields.Single(f => f.Number == 4).Text;

        public float Float(string name) => BitConverter.ToSingle(Attribute(name)!.Single(f => f.Number == 2).Bytes);

        public string Text(string name) => Attribute(name)!.Single(f => f.Number == 4).Text;

        public int Integer(string name, int otherwise) => Attribute(name) is { } found ? (int)found.Single(f => f.Number == 3).Value : otherwise;

        public int[] Integers(string name) => [.. Attribute(name)!.Where(f => f.Number == 8).Select(f => (int)f.Value)];

        public int[] Integers(string name, int otherwise) => Attribute(name) is { } found ? [.. found.Where(f => f.Number == 8).Select(f => (int)f.Value)] : [otherwise];

        private List<Field>? Attribute(string name) =>
            fields.Where(f => f.Number == 5).Select(f => Fields(f.Bytes)).FirstOrDefault(a => a.Single(f => f.Number == 1).Text == name);
    }
}
