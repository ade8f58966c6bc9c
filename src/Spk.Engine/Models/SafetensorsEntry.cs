namespace Spk.Engine.Models;

/// <summary>Element types of a safetensors file that this library reads and writes; the names are those of the format.</summary>
public enum SafetensorsType
{
    /// <summary>64-bit float.</summary>
    F64,

    /// <summary>64-bit signed integer.</summary>
    I64,

    /// <summary>64-bit unsigned integer.</summary>
    U64,

    /// <summary>32-bit float.</summary>
    F32,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>32-bit unsigned integer.</summary>
    U32,

    /// <summary>16-bit float of IEEE 754.</summary>
    F16,

    /// <summary>The upper half of a 32-bit float.</summary>
    BF16,

    /// <summary>16-bit signed integer.</summary>
    I16,

    /// <summary>16-bit unsigned integer.</summary>
    U16,

    /// <summary>8-bit signed integer.</summary>
    I8,

    /// <summary>8-bit unsigned integer.</summary>
    U8,

    /// <summary>A byte that is 0 or 1.</summary>
    BOOL,
}

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Name">Name of the tensor.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Lengths of the axes; empty for a scalar.</param>
/// <param name="Offset">First byte, counted from the end of the header.</param>
/// <param name="ByteCount">Number of bytes.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsType Type, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>Number of elements.</summary>
    public long Count => ByteCount / SizeOf(Type);

    /// <summary>Bytes of an element.</summary>
    /// <param name="type">Element type.</param>
    public static int SizeOf(SafetensorsType type) => type switch
    {
        SafetensorsType.F64 or SafetensorsType.I64 or SafetensorsType.U64 => 8,
        SafetensorsType.F32 or SafetensorsType.I32 or SafetensorsType.U32 => 4,
        SafetensorsType.F16 or SafetensorsType.BF16 or SafetensorsType.I16 or SafetensorsType.U16 => 2,
        _ => 1,
    };

    /// <summary>Whether elements of .NET type <typeparamref name="T"/> have the layout of a type of the format.</summary>
    internal static bool Holds<T>(SafetensorsType type) => type == TypeOf<T>()
        || (typeof(T) == typeof(byte) && type is SafetensorsType.BOOL)
        || (typeof(T) == typeof(ushort) && type is SafetensorsType.BF16);

    /// <summary>The format's type for a .NET element type.</summary>
    internal static SafetensorsType TypeOf<T>() => default(T) switch
    {
        double => SafetensorsType.F64,
        long => SafetensorsType.I64,
        ulong => SafetensorsType.U64,
        float => SafetensorsType.F32,
        int => SafetensorsType.I32,
        uint => SafetensorsType.U32,
        Half => SafetensorsType.F16,
        short => SafetensorsType.I16,
        ushort => SafetensorsType.U16,
        sbyte => SafetensorsType.I8,
        byte => SafetensorsType.U8,
        bool => SafetensorsType.BOOL,
        _ => throw new ArgumentException($"Elements of type {typeof(T).Name} have no counterpart in a safetensors file."),
    };
}
