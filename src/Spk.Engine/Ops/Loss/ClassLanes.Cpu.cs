using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Ops.Loss;

/// <summary>Sixteen neighbouring classes of a row at a time; the last ones of a row that fills no vector are read from and written to one by one.</summary>
internal static unsafe class ClassLanes
{
    public const int Count = 16;

    /// <summary>Loads up to 16 elements; what is missing reads as <paramref name="missing"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* from, int left, float missing = 0) => left >= Count ? Vector512.Load(from) : LoadTail(from, left, missing);

    /// <summary>Stores up to 16 elements, or adds them to what is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* to, int left, bool accumulate)
    {
        if (left < Count)
        {
            StoreTail(value, to, left, accumulate);
            return;
        }

        (accumulate ? Vector512.Load(to) + value : value).Store(to);
    }

    /// <summary>Adds 16 products in f64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Add(Vector512<double> sums, Vector512<float> values) =>
        sums + Vector512.WidenLower(values) + Vector512.WidenUpper(values);

    private static Vector512<float> LoadTail(float* from, int left, float missing)
    {
        float* tail = stackalloc float[Count];
        for (int i = 0; i < Count; i++)
        {
            tail[i] = i < left ? from[i] : missing;
        }

        return Vector512.Load(tail);
    }

    private static void StoreTail(Vector512<float> value, float* to, int left, bool accumulate)
    {
        for (int i = 0; i < left; i++)
        {
            to[i] = accumulate ? to[i] + value[i] : value[i];
        }
    }
}
