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
    private readonly Dictionary<string, Array3> _constants = [];

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
        var values = new Dictionary<string, Array3>(_constants) { [Input] = new(features, shape) };
        foreach (var node in _nodes)
        {
            Array3[] x = [.. node.Inputs.Select(name => values[name])];
            if (node.Type == "Split")
            {
                int at = 0;
                for (int i = 0; i < node.Outputs.Count; i++)
                {
                    int size = (int)x[1].Data[i], from = at;
                    values[node.Outputs[i]] = Array3.Of([x[0].Shape[0], size, x[0].Shape[2]], (n, c, t) => x[0][n, from + c, t]);
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

    private static Array3 Evaluate(Node node, Array3[] x) => node.Type switch
    {
        "Identity" or "Cast" => x[0],
        "Transpose" => Array3.Of([x[0].Shape[0], x[0].Shape[2], x[0].Shape[1]], (n, f, t) => x[0][n, t, f]),
        "Relu" => x[0].Map(v => Math.Max(v, 0)),
        "LeakyRelu" => x[0].Map(v => v < 0 ? node.Float("alpha") * v : v),
        "Tanh" => x[0].Map(Math.Tanh),
        "Sigmoid" => x[0].Map(v => 1 / (1 + Math.Exp(-v))),
        "Sqrt" => x[0].Map(Math.Sqrt),
        "Add" => Array3.Zip(x[0], x[1], (a, b) => a + b),
        "Sub" => Array3.Zip(x[0], x[1], (a, b) => a - b),
        "Mul" => Array3.Zip(x[0], x[1], (a, b) => a * b),
        "Div" => Array3.Zip(x[0], x[1], (a, b) => a / b),
        "Max" => Array3.Zip(x[0], x[1], Math.Max),
        "Shape" => new Array3([.. x[0].Shape.Select(n => (double)n)], [x[0].Shape.Length]),
        "Gather" => new Array3([.. x[1].Data.Select(i => x[0].Data[(int)i])], [x[1].Data.Length]),
        "Expand" => Array3.Zip(x[0], Array3.Of([(int)x[1].Data[0], (int)x[1].Data[1], (int)x[1].Data[2]], (_, _, _) => 0), (a, _) => a),
        "Squeeze" => new Array3(x[0].Data, x[0].Shape[..2]),
        "Unsqueeze" => new Array3(x[0].Data, [.. x[0].Shape, 1]),
        "ReduceMean" => Reduce(x[0], node.Integer("keepdims", 1), mean: true),
        "ReduceSum" => Reduce(x[0], node.Integer("keepdims", 1), mean: false),
        "Concat" => Concat(x, node.Integer("axis", 0)),
        "Pad" when node.Text("mode") == "reflect" => Reflect(x[0], (int)x[1].Data[2], (int)x[1].Data[5]),
        "Conv" => Convolve(x[0], x[1], x[2], node),
        "BatchNormalization" => Normalize(x, node.Float("epsilon")),
        "Gemm" when node.Integer("transB", 0) == 1 => Array3.Of(
            [x[0].Shape[0], x[1].Shape[0]], (n, o, _) => x[2].Data[o] + Enumerable.Range(0, x[1].Shape[1]).Sum(i => x[0][n, i, 0] * x[1][o, i, 0])),
        "Softmax" when node.Integer("axis", -1) == 2 => Softmax(x[0]),
        _ => throw new NotSupportedException($"operator {node.Type}"),
    };

    private static Array3 Reduce(Array3 x, int keep, bool mean)
    {
        int frames = x.Shape[2];
        int[] shape = keep == 1 ? [x.Shape[0], x.Shape[1], 1] : x.Shape[..2];
        return Array3.Of(shape, (n, c, _) => Enumerable.Range(0, frames).Sum(t => x[n, c, t]) / (mean ? frames : 1));
    }

    private static Array3 Concat(Array3[] parts, int axis)
    {
        if (axis == 0)
        {
            return new Array3([.. parts.SelectMany(p => p.Data)], [parts.Sum(p => p.Data.Length)]);
        }

        var (first, channels) = (parts[0], parts.Sum(p => p.Shape[1]));
        return Array3.Of([first.Shape[0], channels, first.Shape[2]], (n, c, t) =>
        {
            int part = 0;
            for (; c >= parts[part].Shape[1]; part++)
            {
                c -= parts[part].Shape[1];
            }

            return parts[part][n, c, t];
        });
    }

    private static Array3 Reflect(Array3 x, int before, int after)
    {
        int frames = x.Shape[2];
        return Array3.Of([x.Shape[0], x.Shape[1], before + frames + after], (n, c, t) =>
        {
            int at = Math.Abs(t - before);
            return x[n, c, at < frames ? at : (2 * (frames - 1)) - at];
        });
    }

    private static Array3 Convolve(Array3 x, Array3 weight, Array3 bias, Node node)
    {
        int dilation = node.Integers("dilations", 1)[0], pad = node.Integers("pads", 0)[0], taps = weight.Shape[2], frames = x.Shape[2];
        return Array3.Of([x.Shape[0], weight.Shape[0], frames + (2 * pad) - (dilation * (taps - 1))], (n, o, t) =>
        {
            double sum = bias.Data[o];
            for (int k = 0; k < taps; k++)
            {
                int at = t + (k * dilation) - pad;
                for (int i = 0; at >= 0 && at < frames && i < weight.Shape[1]; i++)
                {
                    sum += weight[o, i, k] * x[n, i, at];
                }
            }

            return sum;
        });
    }

    private static Array3 Normalize(Array3[] x, double eps) => Array3.Of(
        x[0].Shape, (n, c, t) => (x[1].Data[c] * (x[0][n, c, t] - x[3].Data[c]) / Math.Sqrt(x[4].Data[c] + eps)) + x[2].Data[c]);

    private static Array3 Softmax(Array3 x) => Array3.Of(
        x.Shape, (n, c, t) => 1 / Enumerable.Range(0, x.Shape[2]).Sum(other => Math.Exp(x[n, c, other] - x[n, c, t])));

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
                    _constants.Add(tensor.Single(f => f.Number == 8).Text, new Array3(data, [.. tensor.Where(f => f.Number == 1).Select(f => (int)f.Value)]));
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

        public int[] Integers(string name, int otherwise) => Attribute(name) is { } found ? [.. found.Where(f => f.Number == 8).Select(f => (int)f.Value)] : [otherwise];

        private List<Field>? Attribute(string name) =>
            fields.Where(f => f.Number == 5).Select(f => Fields(f.Bytes)).FirstOrDefault(a => a.Single(f => f.Number == 1).Text == name);
    }

    /// <summary>Up to three axes; missing ones count as 1.</summary>
    private sealed record Array3(double[] Data, int[] Shape)
    {
        public double this[int a, int b, int c] => Data[(((a * Axis(1)) + b) * Axis(2)) + c];

        public static Array3 Of(int[] shape, Func<int, int, int, double> value)
        {
            int[] axes = [.. shape, .. Enumerable.Repeat(1, 3 - shape.Length)];
            var data = new double[axes[0] * axes[1] * axes[2]];
            for (int i = 0; i < data.Length; i++)
            {
                data[i] = value(i / (axes[1] * axes[2]), i / axes[2] % axes[1], i % axes[2]);
            }

            return new Array3(data, shape);
        }

        // Axes are aligned at the last one, as ONNX does; those of length 1 are repeated.
        public static Array3 Zip(Array3 a, Array3 b, Func<double, double, double> f)
        {
            Array3 x = a.Aligned(), y = b.Aligned();
            int[] shape = [.. x.Shape.Zip(y.Shape, Math.Max)];
            var all = Of(shape, (i, j, k) => f(
                x[Math.Min(i, x.Shape[0] - 1), Math.Min(j, x.Shape[1] - 1), Math.Min(k, x.Shape[2] - 1)],
                y[Math.Min(i, y.Shape[0] - 1), Math.Min(j, y.Shape[1] - 1), Math.Min(k, y.Shape[2] - 1)]));
            return new Array3(all.Data, shape[(3 - Math.Max(a.Shape.Length, b.Shape.Length))..]);
        }

        public Array3 Map(Func<double, double> f) => new([.. Data.Select(f)], Shape);

        private Array3 Aligned() => new(Data, [.. Enumerable.Repeat(1, 3 - Shape.Length), .. Shape]);

        private int Axis(int axis) => axis < Shape.Length ? Shape[axis] : 1;
    }
}
