using System.Runtime.InteropServices;

namespace Spk.Engine.Models.Interchange;

/// <summary>Builds an ONNX model node by node; field numbers are those of onnx.proto.</summary>
internal sealed class OnnxGraph(string name)
{
    /// <summary>Operator set: the oldest in which Split and Squeeze take their sizes and axes as inputs.</summary>
    public const int OperatorSet = 13;

    private const int FormatVersion = 7, FloatType = 1, Int64Type = 7;
    private const int FloatAttribute = 1, IntegerAttribute = 2, TextAttribute = 3, IntegersAttribute = 7;

    private readonly ProtobufWriter _graph = new();
    private readonly HashSet<string> _constants = new(StringComparer.Ordinal);
    private int _nodes;

    /// <summary>An attribute of a node: a float, an integer, a text, or integers.</summary>
    public readonly record struct Attribute(string Name, object Value);

    /// <summary>Adds a node with one output.</summary>
    /// <returns>The output's name.</returns>
    public string Node(string type, string[] inputs, params Attribute[] attributes) => Node(type, inputs, 1, attributes)[0];

    /// <summary>Adds a node with several outputs.</summary>
    public string[] Node(string type, string[] inputs, int outputs, params Attribute[] attributes)
    {
        string id = $"{type.ToLowerInvariant()}_{_nodes + 1}";
        string[] names = outputs == 1 ? [id] : [.. Enumerable.Range(0, outputs).Select(i => $"{id}_{i}")];
        Append(type, id, inputs, names, attributes);
        return names;
    }

    /// <summary>Names the output of the whole graph.</summary>
    public void Output(string value, string name) => Append("Identity", name, [value], [name], []);

    private void Append(string type, string id, string[] inputs, string[] outputs, Attribute[] attributes)
    {
        _nodes++;
        var node = new ProtobufWriter();
        foreach (string input in inputs)
        {
            node.Text(1, input);
        }

        foreach (string output in outputs)
        {
            node.Text(2, output);
        }

        node.Text(3, id).Text(4, type);
        foreach (var attribute in attributes)
        {
            node.Message(5, Encode(attribute));
        }

        _graph.Message(1, node);
    }

    /// <summary>Adds a constant of floats.</summary>
    /// <returns>Its name.</returns>
    public string Constant(string name, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape) =>
        Constant(name, FloatType, MemoryMarshal.AsBytes(values), shape);

    /// <summary>Adds a vector of integers, or finds the equal one that is there.</summary>
    /// <returns>Its name.</returns>
    public string Integers(params long[] values) =>
        Constant($"int_{string.Join('_', values)}", Int64Type, MemoryMarshal.AsBytes(values.AsSpan()), [values.Length]);

    /// <summary>Adds a number, or finds the equal one that is there.</summary>
    /// <returns>Its name.</returns>
    public string Number(float value) => Constant(FormattableString.Invariant($"float_{value:R}"), [value]);

    /// <summary>The finished model.</summary>
    /// <param name="input">Name and axes of the input: a length, or the name of one that may vary.</param>
    /// <param name="output">The same of the output.</param>
    /// <param name="metadata">Text that travels along.</param>
    public ProtobufWriter Finish((string Name, object[] Axes) input, (string Name, object[] Axes) output, IEnumerable<KeyValuePair<string, string>> metadata)
    {
        _graph.Text(2, name).Message(11, Value(input)).Message(12, Value(output));
        var model = new ProtobufWriter()
            .Integer(1, FormatVersion)
            .Text(2, "spk")
            .Text(3, ModelKeys.LibraryVersion)
            .Message(7, _graph)
            .Message(8, new ProtobufWriter().Text(1, "").Integer(2, OperatorSet));
        foreach (var (key, text) in metadata)
        {
            model.Message(14, new ProtobufWriter().Text(1, key).Text(2, text));
        }

        return model;
    }

    private static ProtobufWriter Encode(Attribute attribute)
    {
        var message = new ProtobufWriter().Text(1, attribute.Name);
        switch (attribute.Value)
        {
            case float number:
                return message.Float(2, number).Integer(20, FloatAttribute);
            case int number:
                return message.Integer(3, number).Integer(20, IntegerAttribute);
            case string text:
                return message.Text(4, text).Integer(20, TextAttribute);
            default:
                foreach (int number in (int[])attribute.Value)
                {
                    message.Integer(8, number);
                }

                return message.Integer(20, IntegersAttribute);
        }
    }

    private static ProtobufWriter Value((string Name, object[] Axes) value)
    {
        var shape = new ProtobufWriter();
        foreach (object axis in value.Axes)
        {
            shape.Message(1, axis is int length ? new ProtobufWriter().Integer(1, length) : new ProtobufWriter().Text(2, (string)axis));
        }

        var type = new ProtobufWriter().Message(1, new ProtobufWriter().Integer(1, FloatType).Message(2, shape));
        return new ProtobufWriter().Text(1, value.Name).Message(2, type);
    }

    private string Constant(string name, int type, ReadOnlySpan<byte> bytes, ReadOnlySpan<int> shape)
    {
        if (_constants.Add(name))
        {
            var tensor = new ProtobufWriter();
            foreach (int length in shape)
            {
                tensor.Integer(1, length);
            }

            _graph.Message(5, tensor.Integer(2, type).Text(8, name).Bytes(9, bytes));
        }

        return name;
    }
}
