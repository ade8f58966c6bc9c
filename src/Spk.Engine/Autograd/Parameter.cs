using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Autograd;

/// <summary>How a parameter's elements are ordered in memory against files.</summary>
public enum ParameterLayout
{
    /// <summary>The same order in both.</summary>
    Plain,

    /// <summary>Memory [Co, k, Ci] (a tap is a run of input channels); files [Co, Ci, k] as in PyTorch.</summary>
    Conv1dKernel,

    /// <summary>Memory [Co, kH, kW, Ci]; files [Co, Ci, kH, kW] as in PyTorch.</summary>
    Conv2dKernel,

    /// <summary>
    /// Weight of a linear map that reads maps [H, C]: memory [out, H, C]; files [out, C · H], because PyTorch flattens maps [C, H].
    /// </summary>
    FlattenedMap,
}

/// <summary>Initial values of a parameter.</summary>
public readonly record struct Initializer
{
    private enum Kind { Constant, Uniform, Normal }

    private readonly Kind _kind;
    private readonly float _value;

    private Initializer(Kind kind, float value) => (_kind, _value) = (kind, value);

    /// <summary>Every element the same.</summary>
    /// <param name="value">The value.</param>
    public static Initializer Constant(float value) => new(Kind.Constant, value);

    /// <summary>Uniform in ±1/√fanIn: PyTorch's default for linear and convolution weights and biases.</summary>
    /// <param name="fanIn">Inputs of one output.</param>
    public static Initializer UniformFanIn(int fanIn) => new(Kind.Uniform, 1f / MathF.Sqrt(fanIn));

    /// <summary>Normal with deviation √(2/(fanIn+fanOut)) (Xavier).</summary>
    /// <param name="fanIn">Inputs.</param>
    /// <param name="fanOut">Outputs.</param>
    public static Initializer XavierNormal(int fanIn, int fanOut) => new(Kind.Normal, MathF.Sqrt(2f / (fanIn + fanOut)));

    /// <summary>Normal with a given deviation.</summary>
    /// <param name="deviation">Standard deviation.</param>
    public static Initializer Normal(float deviation) => new(Kind.Normal, deviation);

    /// <summary>Normal with deviation √(2/fanOut): Kaiming's initialization ahead of a ReLU, by the gradient's side.</summary>
    /// <param name="fanOut">Outputs that one input reaches: output channels times taps.</param>
    public static Initializer KaimingNormalFanOut(int fanOut) => new(Kind.Normal, MathF.Sqrt(2f / fanOut));

    internal void Fill(Span<float> values, CounterRandom random)
    {
        foreach (ref float value in values)
        {
            value = _kind switch
            {
                Kind.Constant => _value,
                Kind.Uniform => random.NextFloat(-_value, _value),
                _ => _value * random.NextNormal(),
            };
        }
    }
}

/// <summary>A named tensor of a model: a trained weight, or a buffer such as a running mean.</summary>
public sealed class Parameter
{
    internal Parameter(string name, Shape shape, Initializer initializer, ParameterLayout layout, bool trainable)
    {
        Name = name;
        Shape = shape;
        Initializer = initializer;
        Layout = layout;
        IsTrainable = trainable;
    }

    /// <summary>Dotted name, such as "frames.0.conv.weight".</summary>
    public string Name { get; }

    /// <summary>Shape in memory.</summary>
    public Shape Shape { get; }

    /// <summary>Order of elements in memory against files.</summary>
    public ParameterLayout Layout { get; }

    /// <summary>True for weights, false for buffers.</summary>
    public bool IsTrainable { get; }

    /// <summary>Whether it stays as it is: a batch norm whose running statistics are frozen uses them as in evaluation.</summary>
    public bool IsFrozen { get; set; }

    /// <summary>The values; its <see cref="Tensor.Grad"/> exists from the start for weights.</summary>
    /// <exception cref="InvalidOperationException">The set has not been allocated.</exception>
    public Tensor Value => Storage ?? throw new InvalidOperationException($"Parameter {Name} has no memory yet: call ParameterSet.Allocate first.");

    /// <summary>Shape in files: a convolution kernel is [Co, Ci, k] or [Co, Ci, kH, kW] there.</summary>
    public Shape FileShape => Layout switch
    {
        ParameterLayout.Conv1dKernel => new Shape(Shape[0], Shape[2], Shape[1]),
        ParameterLayout.Conv2dKernel => new Shape(Shape[0], Shape[3], Shape[1], Shape[2]),
        ParameterLayout.FlattenedMap => new Shape(Shape[0], Shape[1] * Shape[2]),
        _ => Shape,
    };

    // Every layout in files is that of memory with the last axis ahead of the others but the first: lengths of those in memory.
    private int Outer => Shape[0];

    private int Inner => Shape.Last;

    private int Middle => Shape.Count / Math.Max(1, Outer * Inner);

    internal Initializer Initializer { get; }

    internal Tensor? Storage { get; set; }

    /// <summary>Copies the values in file order.</summary>
    /// <param name="destination">As many elements as the parameter has.</param>
    public void ExportTo(Span<float> destination) => Export(Value, destination);

    /// <summary>Sets the values from file order.</summary>
    /// <param name="source">As many elements as the parameter has.</param>
    public void ImportFrom(ReadOnlySpan<float> source) => Import(source, Value);

    /// <summary>Copies a tensor that is laid out like this parameter (a gradient, a moment) in file order.</summary>
    /// <param name="tensor">A tensor of the parameter's memory shape.</param>
    /// <param name="destination">As many elements.</param>
    public void Export(Tensor tensor, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (Layout == ParameterLayout.Plain)
        {
            tensor.CopyTo(destination);
            return;
        }

        var memory = new float[Shape.Count];
        tensor.CopyTo(memory);
        Swap(memory, destination, Outer, Middle, Inner);
    }

    private void Import(ReadOnlySpan<float> source, Tensor tensor)
    {
        if (source.Length != Shape.Count)
        {
            throw new ShapeException($"{Name} needs {Shape.Count} values, not {source.Length}.");
        }

        if (Layout == ParameterLayout.Plain)
        {
            tensor.CopyFrom(source);
            return;
        }

        var memory = new float[Shape.Count];
        Swap(source, memory, Outer, Inner, Middle);
        tensor.CopyFrom(memory);
    }

    // [outer, a, b] to [outer, b, a].
    private static void Swap(ReadOnlySpan<float> source, Span<float> destination, int outer, int a, int b)
    {
        for (int o = 0; o < outer; o++)
        {
            for (int i = 0; i < a; i++)
            {
                for (int j = 0; j < b; j++)
                {
                    destination[(((o * b) + j) * a) + i] = source[(((o * a) + i) * b) + j];
                }
            }
        }
    }
}
