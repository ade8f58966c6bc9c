namespace Spk.Interop.Cuda;

/// <summary>One argument of a kernel launch: a number or an address in device memory. Made by conversion, lives on the stack.</summary>
public readonly unsafe struct KernelArgument
{
    private readonly ulong _bits;

    private KernelArgument(ulong bits, int size)
    {
        _bits = bits;
        Size = size;
    }

    /// <summary>Bytes the kernel's parameter must have: 4 or 8.</summary>
    public int Size { get; }

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
