using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>12 × 32 tile in 24 accumulators of 16 lanes: with two loads of B and one broadcast of A it fills the 32 registers of AVX-512.</summary>
internal readonly unsafe struct GemmKernel512 : IGemmKernel
{
    public static int Height => 12;

    public static int Width => 32;

    [MethodImpl(HotLoop.Options)]
    public static void Run<TLayout>(float* a, float* b, int depth, float* c, nint strideC, bool accumulate, float* next, nint nextStep)
        where TLayout : struct, IPanelLayout
    {
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        Vector512<float> c1a = Vector512<float>.Zero, c1b = Vector512<float>.Zero;
        Vector512<float> c2a = Vector512<float>.Zero, c2b = Vector512<float>.Zero;
        Vector512<float> c3a = Vector512<float>.Zero, c3b = Vector512<float>.Zero;
        Vector512<float> c4a = Vector512<float>.Zero, c4b = Vector512<float>.Zero;
        Vector512<float> c5a = Vector512<float>.Zero, c5b = Vector512<float>.Zero;
        Vector512<float> c6a = Vector512<float>.Zero, c6b = Vector512<float>.Zero;
        Vector512<float> c7a = Vector512<float>.Zero, c7b = Vector512<float>.Zero;
        Vector512<float> c8a = Vector512<float>.Zero, c8b = Vector512<float>.Zero;
        Vector512<float> c9a = Vector512<float>.Zero, c9b = Vector512<float>.Zero;
        Vector512<float> c10a = Vector512<float>.Zero, c10b = Vector512<float>.Zero;
        Vector512<float> c11a = Vector512<float>.Zero, c11b = Vector512<float>.Zero;
        if (Sse.IsSupported && accumulate)
        {
            for (int row = 0; row < 12; row++)
            {
                Sse.Prefetch0(c + (row * strideC));
                Sse.Prefetch0(c + (row * strideC) + 16);
            }
        }

        for (int k = 0; k < depth; k++)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
            var a0 = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(a0, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(a0, bb, c0b);
            var a1 = Vector512.Create(a[TLayout.RowStep]);
            c1a = Vector512.FusedMultiplyAdd(a1, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(a1, bb, c1b);
            var a2 = Vector512.Create(a[2 * TLayout.RowStep]);
            c2a = Vector512.FusedMultiplyAdd(a2, ba, c2a);
            c2b = Vector512.FusedMultiplyAdd(a2, bb, c2b);
            var a3 = Vector512.Create(a[3 * TLayout.RowStep]);
            c3a = Vector512.FusedMultiplyAdd(a3, ba, c3a);
            c3b = Vector512.FusedMultiplyAdd(a3, bb, c3b);
            var a4 = Vector512.Create(a[4 * TLayout.RowStep]);
            c4a = Vector512.FusedMultiplyAdd(a4, ba, c4a);
            c4b = Vector512.FusedMultiplyAdd(a4, bb, c4b);
            var a5 = Vector512.Create(a[5 * TLayout.RowStep]);
            c5a = Vector512.FusedMultiplyAdd(a5, ba, c5a);
            c5b = Vector512.FusedMultiplyAdd(a5, bb, c5b);
            var a6 = Vector512.Create(a[6 * TLayout.RowStep]);
            c6a = Vector512.FusedMultiplyAdd(a6, ba, c6a);
            c6b = Vector512.FusedMultiplyAdd(a6, bb, c6b);
            var a7 = Vector512.Create(a[7 * TLayout.RowStep]);
            c7a = Vector512.FusedMultiplyAdd(a7, ba, c7a);
            c7b = Vector512.FusedMultiplyAdd(a7, bb, c7b);
            var a8 = Vector512.Create(a[8 * TLayout.RowStep]);
            c8a = Vector512.FusedMultiplyAdd(a8, ba, c8a);
            c8b = Vector512.FusedMultiplyAdd(a8, bb, c8b);
            var a9 = Vector512.Create(a[9 * TLayout.RowStep]);
            c9a = Vector512.FusedMultiplyAdd(a9, ba, c9a);
            c9b = Vector512.FusedMultiplyAdd(a9, bb, c9b);
            var a10 = Vector512.Create(a[10 * TLayout.RowStep]);
            c10a = Vector512.FusedMultiplyAdd(a10, ba, c10a);
            c10b = Vector512.FusedMultiplyAdd(a10, bb, c10b);
            var a11 = Vector512.Create(a[11 * TLayout.RowStep]);
            c11a = Vector512.FusedMultiplyAdd(a11, ba, c11a);
            c11b = Vector512.FusedMultiplyAdd(a11, bb, c11b);
            if (Sse.IsSupported)
            {
                Sse.Prefetch1(next);
                next += nextStep;
            }

            a += TLayout.DepthStep;
            b += 32;
        }

        if (accumulate)
        {
            c0a += Vector512.Load(c);
            c0b += Vector512.Load(c + 16);
            c1a += Vector512.Load(c + strideC);
            c1b += Vector512.Load(c + strideC + 16);
            c2a += Vector512.Load(c + (2 * strideC));
            c2b += Vector512.Load(c + (2 * strideC) + 16);
            c3a += Vector512.Load(c + (3 * strideC));
            c3b += Vector512.Load(c + (3 * strideC) + 16);
            c4a += Vector512.Load(c + (4 * strideC));
            c4b += Vector512.Load(c + (4 * strideC) + 16);
            c5a += Vector512.Load(c + (5 * strideC));
            c5b += Vector512.Load(c + (5 * strideC) + 16);
            c6a += Vector512.Load(c + (6 * strideC));
            c6b += Vector512.Load(c + (6 * strideC) + 16);
            c7a += Vector512.Load(c + (7 * strideC));
            c7b += Vector512.Load(c + (7 * strideC) + 16);
            c8a += Vector512.Load(c + (8 * strideC));
            c8b += Vector512.Load(c + (8 * strideC) + 16);
            c9a += Vector512.Load(c + (9 * strideC));
            c9b += Vector512.Load(c + (9 * strideC) + 16);
            c10a += Vector512.Load(c + (10 * strideC));
            c10b += Vector512.Load(c + (10 * strideC) + 16);
            c11a += Vector512.Load(c + (11 * strideC));
            c11b += Vector512.Load(c + (11 * strideC) + 16);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
        c1a.Store(c + strideC);
        c1b.Store(c + strideC + 16);
        c2a.Store(c + (2 * strideC));
        c2b.Store(c + (2 * strideC) + 16);
        c3a.Store(c + (3 * strideC));
        c3b.Store(c + (3 * strideC) + 16);
        c4a.Store(c + (4 * strideC));
        c4b.Store(c + (4 * strideC) + 16);
        c5a.Store(c + (5 * strideC));
        c5b.Store(c + (5 * strideC) + 16);
        c6a.Store(c + (6 * strideC));
        c6b.Store(c + (6 * strideC) + 16);
        c7a.Store(c + (7 * strideC));
        c7b.Store(c + (7 * strideC) + 16);
        c8a.Store(c + (8 * strideC));
        c8b.Store(c + (8 * strideC) + 16);
        c9a.Store(c + (9 * strideC));
        c9b.Store(c + (9 * strideC) + 16);
        c10a.Store(c + (10 * strideC));
        c10b.Store(c + (10 * strideC) + 16);
        c11a.Store(c + (11 * strideC));
        c11b.Store(c + (11 * strideC) + 16);
    }
}
