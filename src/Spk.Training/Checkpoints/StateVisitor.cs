using System.Runtime.InteropServices;
using Spk.Engine.Models;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Training.Checkpoints;

/// <summary>
/// Meets every piece of training state besides parameters, once to write and once to read it: so that what is saved and what is
/// restored cannot differ.
/// </summary>
internal abstract class StateVisitor
{
    /// <summary>What all names begin with.</summary>
    public const string Prefix = "state.";

    /// <summary>An f32 tensor of any device.</summary>
    public abstract void Visit(string name, Tensor tensor);

    /// <summary>Numbers in host memory.</summary>
    public abstract void Visit(string name, float[] values);

    /// <summary>Integers in host memory.</summary>
    public abstract void Visit(string name, int[] values);

    /// <summary>A count.</summary>
    public abstract void Visit(string name, ref long value);
}

/// <summary>Adds state to a file that will be written.</summary>
internal sealed class StateWriter(SafetensorsContent content) : StateVisitor
{
    public override void Visit(string name, Tensor tensor)
    {
        var values = new float[tensor.Count];
        tensor.CopyTo(values);
        content.Add<float>(Prefix + name, values, values.Length);
    }

    // Embeddings of a whole corpus lie in such arrays: they are not copied, and must not change before the file is written.
    public override void Visit(string name, float[] values) =>
        content.Add(Prefix + name, SafetensorsType.F32, [values.Length], stream => stream.Write(MemoryMarshal.AsBytes<float>(values)));

    public override void Visit(string name, int[] values) =>
        content.Add(Prefix + name, SafetensorsType.I32, [values.Length], stream => stream.Write(MemoryMarshal.AsBytes<int>(values)));

    public override void Visit(string name, ref long value) => content.Add<long>(Prefix + name, [value], 1);
}

/// <summary>Puts state back from a file.</summary>
internal sealed class StateReader(SafetensorsFile file) : StateVisitor
{
    public override void Visit(string name, Tensor tensor)
    {
        var values = new float[tensor.Count];
        Read(name, values);
        tensor.CopyFrom(values);
    }

    public override void Visit(string name, float[] values) => Read(name, values.AsSpan());

    public override void Visit(string name, int[] values) => Read(name, values.AsSpan());

    public override void Visit(string name, ref long value)
    {
        Span<long> values = stackalloc long[1];
        Read(name, values);
        value = values[0];
    }

    private void Read<T>(string name, Span<T> values) where T : unmanaged
    {
        if (!file.Tensors.TryGetValue(Prefix + name, out var entry) || entry.Shape.Count != 1 || entry.Shape[0] != values.Length)
        {
            throw new DataFormatException(
                $"{file.Path} lacks the training state {Prefix + name} with {values.Length} elements: it was written by a run with other settings, or is damaged.");
        }

        file.ReadExact(Prefix + name, values);
    }
}
