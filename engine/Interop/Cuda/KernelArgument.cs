namespace Spk.Interop.Cuda;

/// <summary>
/// One argument of a kernel launch: a number or an address in device memory, made by conversion, or a structure. Lives on the stack.
/// </summary>
public readonly unsafe struct KernelArgument
{
    private readonly ulong _bits;

    private KernelArgument(ulong bits, int size, void* structure = null)
    {
        _bits = bits;
        Size = size;
        _structure = structure;
    }

    /// <summary>Bytes the kernel's parameter must have.</summary>
    public int Size { get; }

    // Where the value of a structure lies; null for a number, which is held here.
    private readonly void* _structure;

    /// <summary>A parameter that is a structure, passed by value.</summary>
    /// <typeparam name="T">Laid out like the kernel's type.</typeparam>
    /// <param name="value">Where it lies until the launch returns.</param>
    public static KernelArgument Structure<T>(T* value) where T : unmanaged => new(0, sizeof(T), value);

    /// <summary>Where the launch reads an argument from.</summary>
    internal static void* Location(KernelArgument* argument) => argument->_structure == null ? argument : argument->_structure;

    /// <summary>An i32 parameter.</summary>
    /// <param name="value">The number.</param>
    public static implicit operator KernelArgument(int value) => new((uint)value, sizeof(int));

    /// <summary>A u32 parameter.</summary>
    /// <param name="value">The number.</param>
    public static implicit operator KernelArgument(uint value) => new(value, sizeof(uint));

    /// <summary>An i64 parameter.</summary>
    /// <param name="value">The number.</param>
    public static implicit operator KernelArgument(long value) => new((ulong)value, sizeof(long));

    /// <summary>A u64 parameter.</summary>
    /// <param name="value">The number.</param>
    public static implicit operator KernelArgument(ulong value) => new(value, sizeof(ulong));

    /// <summary>An f32 parameter.</summary>
    /// <param name="value">The number.</param>
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), sizeof(float));

    /// <summary>An f64 parameter.</summary>
    /// <param name="value">The number.</param>
    public static implicit operator KernelArgument(double value) => new(BitConverter.DoubleToUInt64Bits(value), sizeof(double));

    /// <summary>An address.</summary>
    /// <param name="address">An address in device memory, or 0.</param>
    public static implicit operator KernelArgument(nint address) => new((ulong)address, sizeof(ulong));

    /// <summary>An address.</summary>
    /// <param name="address">An address in device memory, or null.</param>
    public static implicit operator KernelArgument(void* address) => new((ulong)address, sizeof(ulong));
}
