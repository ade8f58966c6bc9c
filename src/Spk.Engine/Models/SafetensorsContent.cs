using System.Runtime.InteropServices;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>
/// What goes into a safetensors file: named tensors and a map of text. The order of additions does not matter; equal content
/// gives equal bytes.
/// </summary>
public sealed class SafetensorsContent
{
    private readonly Dictionary<string, Item> _items = new(StringComparer.Ordinal);

    /// <summary>Text by key, written as the file's <c>__metadata__</c>.</summary>
    public IDictionary<string, string> Metadata { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Adds a tensor; its elements are copied now, so that the caller may go on changing them.</summary>
    /// <typeparam name="T">A primitive numeric type, <see cref="Half"/> or bool.</typeparam>
    /// <param name="name">Name, unique in the file.</param>
    /// <param name="values">Row-major elements.</param>
    /// <param name="shape">Lengths of the axes; their product is the number of elements.</param>
    /// <exception cref="ShapeException">The shape does not fit the number of elements.</exception>
    /// <exception cref="ArgumentException">The name is taken or reserved.</exception>
    public void Add<T>(string name, ReadOnlySpan<T> values, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        byte[] copy = MemoryMarshal.AsBytes(values).ToArray();
        Add(name, SafetensorsEntry.TypeOf<T>(), shape, stream => stream.Write(copy));
        if (_items[name].ByteCount != copy.Length)
        {
            _items.Remove(name);
            throw new ShapeException($"tensor '{name}' of shape [{string.Join(", ", shape.ToArray())}] is given {values.Length} elements.");
        }
    }

    /// <summary>Adds a tensor whose bytes are asked for while the file is written: nothing is copied.</summary>
    /// <param name="name">Name, unique in the file.</param>
    /// <param name="type">Element type.</param>
    /// <param name="shape">Lengths of the axes.</param>
    /// <param name="write">Writes exactly the tensor's bytes, little endian, row-major.</param>
    /// <exception cref="ShapeException">An axis is negative.</exception>
    /// <exception cref="ArgumentException">The name is taken or reserved.</exception>
    public void Add(string name, SafetensorsType type, ReadOnlySpan<int> shape, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(write);
        long count = 1;
        foreach (int length in shape)
        {
            count = length >= 0
                ? checked(count * length)
                : throw new ShapeException($"tensor '{name}' has an axis of length {length}: lengths are not negative.");
        }

        if (name == SafetensorsFile.MetadataKey || !_items.TryAdd(name, new Item(name, type, shape.ToArray(), count * SafetensorsEntry.SizeOf(type), write)))
        {
            throw new ArgumentException($"The tensor name '{name}' is taken.", nameof(name));
        }
    }

    /// <summary>
    /// Tensors in file order: wide elements first, then by name. So every tensor starts at a multiple of its element size
    /// although the format allows no gaps.
    /// </summary>
    internal IReadOnlyList<Item> InFileOrder() =>
        [.. _items.Values.OrderByDescending(i => SafetensorsEntry.SizeOf(i.Type)).ThenBy(i => i.Name, StringComparer.Ordinal)];

    internal sealed record Item(string Name, SafetensorsType Type, int[] Shape, long ByteCount, Action<Stream> Write);
}
