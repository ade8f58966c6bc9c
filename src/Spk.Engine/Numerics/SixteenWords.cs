using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spk.Engine.Numerics;

/// <summary>Sixteen words in a vector of 512 bits. Without AVX-512, <see cref="EightWords"/> multiply each half.</summary>
internal readonly unsafe struct SixteenWords(Vector512<uint> value) : ILaneWords<SixteenWords, SixteenLanes>
{
    public readonly Vector512<uint> Value = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenWords Load(uint* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenWords Create(uint value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenWords operator +(SixteenWords a, SixteenWords b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenWords operator *(SixteenWords a, SixteenWords b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenWords operator ^(SixteenWords a, SixteenWords b) => new(a.Value ^ b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply(SixteenWords a, uint factor, out SixteenWords high, out SixteenWords low)
    {
        if (Avx512F.IsSupported)
        {
            var lower = Vector512.Create(0xFFFFFFFFul);
            var even = Avx512F.Multiply(a.Value, Vector512.Create(factor));
            var odd = Avx512F.Multiply((a.Value.AsUInt64() >>> 32).AsUInt32(), Vector512.Create(factor));
            high = new(((even >>> 32) | (odd & ~lower)).AsUInt32());
            low = new(((even & lower) | (odd << 32)).AsUInt32());
            return;
        }

        EightWords.Multiply(new(a.Value.GetLower()), factor, out var highLower, out var lowLower);
        EightWords.Multiply(new(a.Value.GetUpper()), factor, out var highUpper, out var lowUpper);
        high = new(Vector512.Create(highLower.Value, highUpper.Value));
        low = new(Vector512.Create(lowLower.Value, lowUpper.Value));
    }

    // 24 bits fit a signed integer, which every instruction set converts in one step.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes Upper24(SixteenWords a) => new(Vector512.ConvertToSingle((a.Value >>> 8).AsInt32()));
}
