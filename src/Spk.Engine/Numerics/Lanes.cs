using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spk.Engine.Numerics;

/// <summary>Moves between rows of samples and vectors that hold one sample of each of 16 rows.</summary>
internal static unsafe class Lanes
{
    /// <summary>Rows side by side in one vector.</summary>
    public const int Count = 16;

    /// <summary>Writes destination[c * destinationStride + r] = rows[r][c] for 16 rows and some columns.</summary>
    /// <param name="rows">16 row pointers.</param>
    /// <param name="columns">Number of columns, 0 or more.</param>
    /// <param name="destination">Where column c's vector of 16 rows goes.</param>
    /// <param name="destinationStride">Floats between the vectors of neighbouring columns, at least 16.</param>
    public static void Transpose(float** rows, int columns, float* destination, int destinationStride)
    {
        int c = 0;
        if (Avx512F.IsSupported)
        {
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
        }

        for (; c < columns; c++)
        {
            float* to = destination + ((nint)c * destinationStride);
            for (int r = 0; r < Count; r++)
            {
                to[r] = rows[r][c];
            }
        }
    }

    /// <summary>Splits 32 neighbouring floats into the 16 at even and the 16 at odd places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(float* source, out Vector512<float> even, out Vector512<float> odd)
    {
        if (Avx512F.IsSupported)
        {
            var low = Vector512.Load(source);
            var high = Vector512.Load(source + 16);
            even = Avx512F.PermuteVar16x32x2(low, Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), high);
            odd = Avx512F.PermuteVar16x32x2(low, Vector512.Create(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), high);
            return;
        }

        float* places = stackalloc float[32];
        for (int i = 0; i < 16; i++)
        {
            places[i] = source[2 * i];
            places[16 + i] = source[(2 * i) + 1];
        }

        even = Vector512.Load(places);
        odd = Vector512.Load(places + 16);
    }

    /// <summary>Writes 16 even and 16 odd elements as 32 neighbouring floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Interleave(Vector512<float> even, Vector512<float> odd, float* destination)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.PermuteVar16x32x2(even, Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), odd).Store(destination);
            Avx512F.PermuteVar16x32x2(even, Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), odd)
                .Store(destination + 16);
            return;
        }

        for (int i = 0; i < 16; i++)
        {
            destination[2 * i] = even[i];
            destination[(2 * i) + 1] = odd[i];
        }
    }

    /// <summary>The elements in the opposite order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Reverse(Vector512<float> v) =>
        Vector512.Shuffle(v, Vector512.Create(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));

    /// <summary>An array that stays at its address, for tables that unmanaged loop bodies point into.</summary>
    public static float[] Table(int count) => GC.AllocateArray<float>(count, pinned: true);

    /// <summary>The address of a <see cref="Table"/>; the caller keeps the array alive.</summary>
    public static T* Pointer<T>(T[] pinned) where T : unmanaged => (T*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Gather(float** rows, int first, int column) => Vector512.Create(
        Vector256.Create(Vector128.Load(rows[first] + column), Vector128.Load(rows[first + 4] + column)),
        Vector256.Create(Vector128.Load(rows[first + 8] + column), Vector128.Load(rows[first + 12] + column)));
}
