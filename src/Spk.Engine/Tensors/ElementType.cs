namespace Spk.Engine.Tensors;

/// <summary>What one element of a tensor is.</summary>
public enum ElementType
{
    /// <summary>32-bit floating point.</summary>
    Float32,

    /// <summary>32-bit signed integer: labels, indices.</summary>
    Int32,

    /// <summary>16-bit signed integer: PCM samples.</summary>
    Int16,
}

/// <summary>Sizes of element types.</summary>
public static class ElementTypes
{
    /// <summary>Bytes of one element.</summary>
    /// <param name="type">The element type.</param>
    /// <returns>2 or 4.</returns>
    public static int Size(this ElementType type) => type == ElementType.Int16 ? 2 : 4;

    /// <summary>The element type that holds values of a C# type.</summary>
    /// <typeparam name="T">float, int or short.</typeparam>
    internal static ElementType Of<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? ElementType.Float32
        : typeof(T) == typeof(int) ? ElementType.Int32
        : typeof(T) == typeof(short) ? ElementType.Int16
        : throw new NotSupportedException($"Tensors do not hold values of {typeof(T).Name}.");

    /// <summary>Whether elements of a type are values of a C# type.</summary>
    /// <typeparam name="T">Any type.</typeparam>
    /// <param name="type">The element type.</param>
    internal static bool Holds<T>(ElementType type) where T : unmanaged => type switch
    {
        ElementType.Float32 => typeof(T) == typeof(float),
        ElementType.Int32 => typeof(T) == typeof(int),
        _ => typeof(T) == typeof(short),
    };
}
