using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// The products of three rows of a weight with four states: the recurrent part of a <see cref="Gru"/>. A frame has so few states that
/// packing the weight, as a general product does, would take as long as using it.
/// </summary>
internal static unsafe class GruProducts
{
    /// <summary>Rows of the weight, and states, at a time.</summary>
    public const int Rows = 3, Items = 4;

    /// <summary>Elements of a result, [Rows, Items].</summary>
    public const int Count = Rows * Items;

    /// <summary>result[r, i] = row r of the weight · state i, for the first <paramref name="rows"/> and <paramref name="items"/> of them.</summary>
    [MethodImpl(HotLoop.Options)]
    public static void Run(float* weight, nint weightStride, int rows, float* state, nint stateStride, int items, int length, float* result)
    {
        // What is missing repeats the last one; its products are not read.
        float* w0 = weight, w1 = weight + (Math.Min(1, rows - 1) * weightStride), w2 = weight + (Math.Min(2, rows - 1) * weightStride);
        float* s0 = state, s1 = state + (Math.Min(1, items - 1) * stateStride), s2 = state + (Math.Min(2, items - 1) * stateStride);
        float* s3 = state + (Math.Min(3, items - 1) * stateStride);
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default;
        Vector512<float> b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default;
        int k = 0;
        for (; k <= length - 16; k += 16)
        {
            var (a, b, c) = (Vector512.Load(w0 + k), Vector512.Load(w1 + k), Vector512.Load(w2 + k));
            var s = Vector512.Load(s0 + k);
            a0 = Vector512.FusedMultiplyAdd(a, s, a0);
            b0 = Vector512.FusedMultiplyAdd(b, s, b0);
            c0 = Vector512.FusedMultiplyAdd(c, s, c0);
            s = Vector512.Load(s1 + k);
            a1 = Vector512.FusedMultiplyAdd(a, s, a1);
            b1 = Vector512.FusedMultiplyAdd(b, s, b1);
            c1 = Vector512.FusedMultiplyAdd(c, s, c1);
            s = Vector512.Load(s2 + k);
            a2 = Vector512.FusedMultiplyAdd(a, s, a2);
            b2 = Vector512.FusedMultiplyAdd(b, s, b2);
            c2 = Vector512.FusedMultiplyAdd(c, s, c2);
            s = Vector512.Load(s3 + k);
            a3 = Vector512.FusedMultiplyAdd(a, s, a3);
            b3 = Vector512.FusedMultiplyAdd(b, s, b3);
            c3 = Vector512.FusedMultiplyAdd(c, s, c3);
        }

        Store(a0, a1, a2, a3, result);
        Store(b0, b1, b2, b3, result + Items);
        Store(c0, c1, c2, c3, result + (2 * Items));
        for (; k < length; k++)
        {
            Add(w0[k], s0[k], s1[k], s2[k], s3[k], result);
            Add(w1[k], s0[k], s1[k], s2[k], s3[k], result + Items);
            Add(w2[k], s0[k], s1[k], s2[k], s3[k], result + (2 * Items));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth, float* result)
    {
        result[0] = Vector512.Sum(first);
        result[1] = Vector512.Sum(second);
        result[2] = Vector512.Sum(third);
        result[3] = Vector512.Sum(fourth);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float weight, float first, float second, float third, float fourth, float* result)
    {
        result[0] = MathF.FusedMultiplyAdd(weight, first, result[0]);
        result[1] = MathF.FusedMultiplyAdd(weight, second, result[1]);
        result[2] = MathF.FusedMultiplyAdd(weight, third, result[2]);
        result[3] = MathF.FusedMultiplyAdd(weight, fourth, result[3]);
    }
}
