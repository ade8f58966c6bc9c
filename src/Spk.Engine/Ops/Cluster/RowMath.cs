using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Products and distances of two f32 rows, summed in an order that depends on their length only; in f64 unless named otherwise.</summary>
internal static unsafe class RowMath
{
    // Squared distances in f32 are as good as any inside this range.
    private const float LargestSquare = 1e36f;
    private const float SmallestSquare = 1e-30f;

    /// <summary>a · b.</summary>
    [MethodImpl(HotLoop.Options)]
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
    [MethodImpl(HotLoop.Options)]
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
    [MethodImpl(HotLoop.Options)]
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

    /// <summary>‖a − b‖² in f32, from differences: exactly 0 for equal rows.</summary>
    [MethodImpl(HotLoop.Options)]
    public static float SquaredDistanceSingle(float* a, float* b, int length)
    {
        Vector512<float> first = Vector512<float>.Zero, second = Vector512<float>.Zero;
        int i = 0;
        for (; i <= length - 32; i += 32)
        {
            var low = Vector512.Load(a + i) - Vector512.Load(b + i);
            var high = Vector512.Load(a + i + 16) - Vector512.Load(b + i + 16);
            first = Vector512.FusedMultiplyAdd(low, low, first);
            second = Vector512.FusedMultiplyAdd(high, high, second);
        }

        float sum = Vector512.Sum(first + second);
        for (; i < length; i++)
        {
            float difference = a[i] - b[i];
            sum += difference * difference;
        }

        return sum;
    }

    /// <summary>‖a − b‖², in f64 where f32 might overflow or underflow: for objectives, where errors of many rows cancel.</summary>
    public static double SquaredDistanceInRange(float* a, float* b, int length)
    {
        float distance = SquaredDistanceSingle(a, b, length);
        return distance is > SmallestSquare and < LargestSquare ? distance : SquaredDistance(a, b, length);
    }

    /// <summary>a · b in f32.</summary>
    [MethodImpl(HotLoop.Options)]
    public static float DotSingle(float* a, float* b, int length)
    {
        Vector512<float> first = Vector512<float>.Zero, second = Vector512<float>.Zero;
        int i = 0;
        for (; i <= length - 32; i += 32)
        {
            first = Vector512.FusedMultiplyAdd(Vector512.Load(a + i), Vector512.Load(b + i), first);
            second = Vector512.FusedMultiplyAdd(Vector512.Load(a + i + 16), Vector512.Load(b + i + 16), second);
        }

        float sum = Vector512.Sum(first + second);
        for (; i < length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }
}
