using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Products and distances of two f32 rows in f64, in an order that depends on their length only.</summary>
internal static unsafe class RowMath
{
    /// <summary>a · b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(float* a, float* b, int length)
    {
        Vector512<double> low = Vector512<double>.Zero, high = Vector512<double>.Zero;
        int i = 0;
        for (; i <= length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var (aLow, aHigh) = Vector512.Widen(Vector512.Load(a + i));
            var (bLow, bHigh) = Vector512.Widen(Vector512.Load(b + i));
            low = Vector512.FusedMultiplyAdd(aLow, bLow, low);
            high = Vector512.FusedMultiplyAdd(aHigh, bHigh, high);
        }

        double sum = Vector512.Sum(low + high);
        for (; i < length; i++)
        {
            sum += (double)a[i] * b[i];
        }

        return sum;
    }

    /// <summary>‖a − b‖².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SquaredDistance(float* a, float* b, int length)
    {
        Vector512<double> low = Vector512<double>.Zero, high = Vector512<double>.Zero;
        int i = 0;
        for (; i <= length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var (aLow, aHigh) = Vector512.Widen(Vector512.Load(a + i));
            var (bLow, bHigh) = Vector512.Widen(Vector512.Load(b + i));
            var differenceLow = aLow - bLow;
            var differenceHigh = aHigh - bHigh;
            low = Vector512.FusedMultiplyAdd(differenceLow, differenceLow, low);
            high = Vector512.FusedMultiplyAdd(differenceHigh, differenceHigh, high);
        }

        double sum = Vector512.Sum(low + high);
        for (; i < length; i++)
        {
            double difference = (double)a[i] - b[i];
            sum += difference * difference;
        }

        return sum;
    }

    /// <summary>‖a‖ from squares summed in f32: for error bounds only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float ApproximateNorm(float* a, int length)
    {
        var sums = Vector512<float>.Zero;
        int i = 0;
        for (; i <= length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var x = Vector512.Load(a + i);
            sums = Vector512.FusedMultiplyAdd(x, x, sums);
        }

        float sum = Vector512.Sum(sums);
        for (; i < length; i++)
        {
            sum += a[i] * a[i];
        }

        return MathF.Sqrt(sum);
    }
}
