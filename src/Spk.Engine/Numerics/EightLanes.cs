using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spk.Engine.Numerics;

/// <summary>Eight rows side by side, in a vector of 256 bits.</summary>
internal readonly unsafe struct EightLanes(Vector256<float> value) : ILanes<EightLanes>
{
    public readonly Vector256<float> Value = value;

    public static int Count => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* destination) => Value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes Create(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes operator +(EightLanes a, EightLanes b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes operator -(EightLanes a, EightLanes b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes operator *(EightLanes a, EightLanes b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes operator -(EightLanes a) => new(-a.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes FusedMultiplyAdd(EightLanes a, EightLanes b, EightLanes c) =>
        new(Vector256.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes Max(EightLanes a, EightLanes b) => new(Vector256.Max(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes Sqrt(EightLanes a) => new(Vector256.Sqrt(a.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes Log(EightLanes a) => new(Vector256.Log(a.Value));

    public static (EightLanes Sin, EightLanes Cos) SinCos(EightLanes a)
    {
        var (sin, cos) = Vector256.SinCos(a.Value);
        return (new(sin), new(cos));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EightLanes Reverse(EightLanes a) => new(Vector256.Shuffle(a.Value, Vector256.Create(7, 6, 5, 4, 3, 2, 1, 0)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(float* source, out EightLanes even, out EightLanes odd)
    {
        if (Avx2.IsSupported)
        {
            // Within 128 bits first, which leaves 0 2 8 10, 4 6 12 14: pairs that lie crosswise.
            var low = Vector256.Load(source);
            var high = Vector256.Load(source + 8);
            even = new(Avx2.Permute4x64(Avx.Shuffle(low, high, 0b10_00_10_00).AsDouble(), 0b11_01_10_00).AsSingle());
            odd = new(Avx2.Permute4x64(Avx.Shuffle(low, high, 0b11_01_11_01).AsDouble(), 0b11_01_10_00).AsSingle());
            return;
        }

        even = new(Vector256.Create(source[0], source[2], source[4], source[6], source[8], source[10], source[12], source[14]));
        odd = new(Vector256.Create(source[1], source[3], source[5], source[7], source[9], source[11], source[13], source[15]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Interleave(EightLanes even, EightLanes odd, float* destination)
    {
        if (Avx.IsSupported)
        {
            var low = Avx.UnpackLow(even.Value, odd.Value);
            var high = Avx.UnpackHigh(even.Value, odd.Value);
            Avx.Permute2x128(low, high, 0x20).Store(destination);
            Avx.Permute2x128(low, high, 0x31).Store(destination + 8);
            return;
        }

        for (int i = 0; i < 8; i++)
        {
            destination[2 * i] = even.Value[i];
            destination[(2 * i) + 1] = odd.Value[i];
        }
    }

    public static void Transpose(float** rows, int columns, float* destination, int destinationStride)
    {
        int c = 0;
        if (Avx.IsSupported)
        {
            for (; c + 4 <= columns; c += 4)
            {
                // Half h of "first" holds four columns of row 4h, so the 4x4 transposes of the halves put the rows in order.
                var first = Gather(rows, 0, c);
                var second = Gather(rows, 1, c);
                var third = Gather(rows, 2, c);
                var fourth = Gather(rows, 3, c);
                var low01 = Avx.UnpackLow(first, second).AsDouble();
                var high01 = Avx.UnpackHigh(first, second).AsDouble();
                var low23 = Avx.UnpackLow(third, fourth).AsDouble();
                var high23 = Avx.UnpackHigh(third, fourth).AsDouble();
                float* to = destination + ((nint)c * destinationStride);
                Avx.UnpackLow(low01, low23).AsSingle().Store(to);
                Avx.UnpackHigh(low01, low23).AsSingle().Store(to + destinationStride);
                Avx.UnpackLow(high01, high23).AsSingle().Store(to + (2 * destinationStride));
                Avx.UnpackHigh(high01, high23).AsSingle().Store(to + (3 * destinationStride));
            }
        }

        for (; c < columns; c++)
        {
            float* to = destination + ((nint)c * destinationStride);
            for (int r = 0; r < 8; r++)
            {
                to[r] = rows[r][c];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Gather(float** rows, int first, int column) =>
        Vector256.Create(Vector128.Load(rows[first] + column), Vector128.Load(rows[first + 4] + column));
}
