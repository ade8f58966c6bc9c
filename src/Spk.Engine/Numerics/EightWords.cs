using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spk.Engine.Numerics;

/// <summary>Eight words in a vector of 256 bits.</summary>
internal readonly unsafe struct EightWords(Vector256<uint> value) : ILaneWords<EightWords, EightLanes>
{
    public readonly Vector256<uint> Value = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightWords Load(uint* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightWords Create(uint value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightWords operator +(EightWords a, EightWords b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightWords operator *(EightWords a, EightWords b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightWords operator ^(EightWords a, EightWords b) => new(a.Value ^ b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply(EightWords a, uint factor, out EightWords high, out EightWords low)
    {
        var wide = a.Value.AsUInt64();
        if (Avx2.IsSupported)
        {
            var even = Avx2.Multiply(a.Value, Vector256.Create(factor));
            var odd = Avx2.Multiply((wide >>> 32).AsUInt32(), Vector256.Create(factor));
            high = new(Avx2.Blend((even >>> 32).AsUInt32(), odd.AsUInt32(), 0b10101010));
            low = new(Avx2.Blend(even.AsUInt32(), (odd << 32).AsUInt32(), 0b10101010));
            return;
        }

        var lower = Vector256.Create(0xFFFFFFFFul);
        var product = (wide >>> 32) * Vector256.Create((ulong)factor);
        high = new(((((wide & lower) * Vector256.Create((ulong)factor)) >>> 32) | (product & ~lower)).AsUInt32());
        low = a * Create(factor);
    }

    // 24 bits fit a signed integer, which every instruction set converts in one step.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes Upper24(EightWords a) => new(Vector256.ConvertToSingle((a.Value >>> 8).AsInt32()));
}
