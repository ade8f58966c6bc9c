using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>6 × 16 tile in 12 accumulators of 8 lanes: fits the 16 registers of AVX2, and is split by the runtime on narrower hardware.</summary>
internal readonly unsafe struct GemmKernel256 : IGemmKernel
{
    // Depths of one turn of the loop.
    private const int Turn = 4;

    public static int Height => 6;

    public static int Width => 16;

    [MethodImpl(HotLoop.Options)]
    public static void Run<TLayout>(float* a, float* b, int depth, float* c, nint strideC, bool accumulate, float* next, nint nextStep)
        where TLayout : struct, IPanelLayout
    {
        Vector256<float> c0a = Vector256<float>.Zero, c0b = Vector256<float>.Zero;
        Vector256<float> c1a = Vector256<float>.Zero, c1b = Vector256<float>.Zero;
        Vector256<float> c2a = Vector256<float>.Zero, c2b = Vector256<float>.Zero;
        Vector256<float> c3a = Vector256<float>.Zero, c3b = Vector256<float>.Zero;
        Vector256<float> c4a = Vector256<float>.Zero, c4b = Vector256<float>.Zero;
        Vector256<float> c5a = Vector256<float>.Zero, c5b = Vector256<float>.Zero;
        if (Sse.IsSupported && accumulate)
        {
            for (int row = 0; row < 6; row++)
            {
                Sse.Prefetch0(c + (row * strideC));
            }
        }

        // Four depths a turn: counting, moving the pointers and fetching ahead take issue slots that another thread of the core may want.
        int k = 0;
        for (; k <= depth - Turn; k += Turn)
        {
            Step<TLayout>(
                a, b, ref c0a, ref c0b, ref c1a, ref c1b, ref c2a, ref c2b,
                ref c3a, ref c3b, ref c4a, ref c4b, ref c5a, ref c5b);
            Step<TLayout>(
                a + TLayout.DepthStep, b + 16, ref c0a, ref c0b, ref c1a, ref c1b, ref c2a, ref c2b,
                ref c3a, ref c3b, ref c4a, ref c4b, ref c5a, ref c5b);
            Step<TLayout>(
                a + (2 * TLayout.DepthStep), b + 32, ref c0a, ref c0b, ref c1a, ref c1b, ref c2a, ref c2b,
                ref c3a, ref c3b, ref c4a, ref c4b, ref c5a, ref c5b);
            Step<TLayout>(
                a + (3 * TLayout.DepthStep), b + 48, ref c0a, ref c0b, ref c1a, ref c1b, ref c2a, ref c2b,
                ref c3a, ref c3b, ref c4a, ref c4b, ref c5a, ref c5b);
            if (Sse.IsSupported)
            {
                Sse.Prefetch1(next);
                Sse.Prefetch1(next + (2 * nextStep));
                next += Turn * nextStep;
            }

            a += Turn * TLayout.DepthStep;
            b += Turn * 16;
        }

        for (; k < depth; k++)
        {
            Step<TLayout>(
                a, b, ref c0a, ref c0b, ref c1a, ref c1b, ref c2a, ref c2b,
                ref c3a, ref c3b, ref c4a, ref c4b, ref c5a, ref c5b);
            a += TLayout.DepthStep;
            b += 16;
        }

        if (accumulate)
        {
            c0a += Vector256.Load(c);
            c0b += Vector256.Load(c + 8);
            c1a += Vector256.Load(c + strideC);
            c1b += Vector256.Load(c + strideC + 8);
            c2a += Vector256.Load(c + (2 * strideC));
            c2b += Vector256.Load(c + (2 * strideC) + 8);
            c3a += Vector256.Load(c + (3 * strideC));
            c3b += Vector256.Load(c + (3 * strideC) + 8);
            c4a += Vector256.Load(c + (4 * strideC));
            c4b += Vector256.Load(c + (4 * strideC) + 8);
            c5a += Vector256.Load(c + (5 * strideC));
            c5b += Vector256.Load(c + (5 * strideC) + 8);
        }

        c0a.Store(c);
        c0b.Store(c + 8);
        c1a.Store(c + strideC);
        c1b.Store(c + strideC + 8);
        c2a.Store(c + (2 * strideC));
        c2b.Store(c + (2 * strideC) + 8);
        c3a.Store(c + (3 * strideC));
        c3b.Store(c + (3 * strideC) + 8);
        c4a.Store(c + (4 * strideC));
        c4b.Store(c + (4 * strideC) + 8);
        c5a.Store(c + (5 * strideC));
        c5b.Store(c + (5 * strideC) + 8);
    }

    // One depth: a column of six elements of A by a row of sixteen elements of B.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TLayout>(
        float* a, float* b,
        ref Vector256<float> c0a, ref Vector256<float> c0b,
        ref Vector256<float> c1a, ref Vector256<float> c1b,
        ref Vector256<float> c2a, ref Vector256<float> c2b,
        ref Vector256<float> c3a, ref Vector256<float> c3b,
        ref Vector256<float> c4a, ref Vector256<float> c4b,
        ref Vector256<float> c5a, ref Vector256<float> c5b)
        where TLayout : struct, IPanelLayout
    {
        var (ba, bb) = (Vector256.Load(b), Vector256.Load(b + 8));
        var a0 = Vector256.Create(a[0]);
        c0a = Vector256.FusedMultiplyAdd(a0, ba, c0a);
        c0b = Vector256.FusedMultiplyAdd(a0, bb, c0b);
        var a1 = Vector256.Create(a[TLayout.RowStep]);
        c1a = Vector256.FusedMultiplyAdd(a1, ba, c1a);
        c1b = Vector256.FusedMultiplyAdd(a1, bb, c1b);
        var a2 = Vector256.Create(a[2 * TLayout.RowStep]);
        c2a = Vector256.FusedMultiplyAdd(a2, ba, c2a);
        c2b = Vector256.FusedMultiplyAdd(a2, bb, c2b);
        var a3 = Vector256.Create(a[3 * TLayout.RowStep]);
        c3a = Vector256.FusedMultiplyAdd(a3, ba, c3a);
        c3b = Vector256.FusedMultiplyAdd(a3, bb, c3b);
        var a4 = Vector256.Create(a[4 * TLayout.RowStep]);
        c4a = Vector256.FusedMultiplyAdd(a4, ba, c4a);
        c4b = Vector256.FusedMultiplyAdd(a4, bb, c4b);
        var a5 = Vector256.Create(a[5 * TLayout.RowStep]);
        c5a = Vector256.FusedMultiplyAdd(a5, ba, c5a);
        c5b = Vector256.FusedMultiplyAdd(a5, bb, c5b);
    }
}
