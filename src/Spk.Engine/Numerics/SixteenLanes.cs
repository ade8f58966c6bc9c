using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spk.Engine.Numerics;

/// <summary>Sixteen rows side by side, in a vector of 512 bits. Without AVX-512, <see cref="EightLanes"/> do each half's moves.</summary>
internal readonly unsafe struct SixteenLanes(Vector512<float> value) : ILanes<SixteenLanes>
{
    public readonly Vector512<float> Value = value;

    public static int Count => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* destination) => Value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes operator +(SixteenLanes a, SixteenLanes b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes operator -(SixteenLanes a, SixteenLanes b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes operator *(SixteenLanes a, SixteenLanes b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes operator -(SixteenLanes a) => new(-a.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes FusedMultiplyAdd(SixteenLanes a, SixteenLanes b, SixteenLanes c) =>
        new(Vector512.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes Max(SixteenLanes a, SixteenLanes b) => new(Vector512.Max(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes Sqrt(SixteenLanes a) => new(Vector512.Sqrt(a.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes Log(SixteenLanes a) => new(Vector512.Log(a.Value));

    public static (SixteenLanes Sin, SixteenLanes Cos) SinCos(SixteenLanes a)
    {
        var (sin, cos) = Vector512.SinCos(a.Value);
        return (new(sin), new(cos));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SixteenLanes Reverse(SixteenLanes a) =>
        new(Vector512.Shuffle(a.Value, Vector512.Create(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(float* source, out SixteenLanes even, out SixteenLanes odd)
    {
        if (Avx512F.IsSupported)
        {
            var low = Vector512.Load(source);
            var high = Vector512.Load(source + 16);
            even = new(Avx512F.PermuteVar16x32x2(low, Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), high));
            odd = new(Avx512F.PermuteVar16x32x2(low, Vector512.Create(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), high));
            return;
        }

        EightLanes.Deinterleave(source, out var lowEven, out var lowOdd);
        EightLanes.Deinterleave(source + 16, out var highEven, out var highOdd);
        even = Join(lowEven, highEven);
        odd = Join(lowOdd, highOdd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Interleave(SixteenLanes even, SixteenLanes odd, float* destination)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.PermuteVar16x32x2(
                even.Value, Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), odd.Value).Store(destination);
            Avx512F.PermuteVar16x32x2(
                even.Value, Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), odd.Value).Store(destination + 16);
            return;
        }

        EightLanes.Interleave(new(even.Value.GetLower()), new(odd.Value.GetLower()), destination);
        EightLanes.Interleave(new(even.Value.GetUpper()), new(odd.Value.GetUpper()), destination + 16);
    }

    public static void Transpose(float** rows, int columns, float* destination, int destinationStride)
    {
        if (!Avx512F.IsSupported)
        {
            EightLanes.Transpose(rows, columns, destination, destinationStride);
            EightLanes.Transpose(rows + 8, columns, destination + 8, destinationStride);
            return;
        }

        int c = 0;
        for (; c + 4 <= columns; c += 4)
        {
            // Block b of "first" holds four columns of row 4b, so the 4x4 transposes of the blocks put the rows in order.
            var first = Gather(rows, 0, c);
            var second = Gather(rows, 1, c);
            var third = Gather(rows, 2, c);
            var fourth = Gather(rows, 3, c);
            var low01 = Avx512F.UnpackLow(first, second).AsDouble();
            var high01 = Avx512F.UnpackHigh(first, second).AsDouble();
            var low23 = Avx512F.UnpackLow(third, fourth).AsDouble();
            var high23 = Avx512F.UnpackHigh(third, fourth).AsDouble();
            float* to = destination + ((nint)c * destinationStride);
            Avx512F.UnpackLow(low01, low23).AsSingle().Store(to);
            Avx512F.UnpackHigh(low01, low23).AsSingle().Store(to + destinationStride);
            Avx512F.UnpackLow(high01, high23).AsSingle().Store(to + (2 * destinationStride));
            Avx512F.UnpackHigh(high01, high23).AsSingle().Store(to + (3 * destinationStride));
        }

        for (; c < columns; c++)
        {
            float* to = destination + ((nint)c * destinationStride);
            for (int r = 0; r < 16; r++)
            {
                to[r] = rows[r][c];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static SixteenLanes Join(EightLanes low, EightLanes high) => new(Vector512.Create(low.Value, high.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Gather(float** rows, int first, int column) => Vector512.Create(
        Vector256.Create(Vector128.Load(rows[first] + column), Vector128.Load(rows[first + 4] + column)),
        Vector256.Create(Vector128.Load(rows[first + 8] + column), Vector128.Load(rows[first + 12] + column)));
}
