using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>12 × 32 tile: as in <see cref="GemmKernel512"/>, 24 accumulators, two loads of B and one broadcast of A.</summary>
internal readonly unsafe struct StridedKernel512 : IStridedKernel
{
    public static int Height => 12;

    public static int Width => 32;

    [MethodImpl(HotLoop.Options)]
    public static void Run(in StridedTile tile, float* c, nint strideC, bool accumulate)
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

        // Every third row has a pointer of its own; the two after it are reached by the row step and its double.
        nint one = tile.RowStep, two = 2 * one;
        for (int segment = 0; segment < tile.Segments; segment++)
        {
            float* a0 = tile.A + (segment * tile.SegmentA);
            float* a3 = a0 + one + two;
            float* a6 = a3 + one + two;
            float* a9 = a6 + one + two;
            float* b = tile.B + (segment * tile.SegmentB);
            for (int k = tile.Depth; k > 0; k--)
            {
                var (ba, bb) = (Vector512.Load(b), Vector512.Load(b + 16));
                var row0 = Vector512.Create(*a0);
                c0a = Vector512.FusedMultiplyAdd(row0, ba, c0a);
                c0b = Vector512.FusedMultiplyAdd(row0, bb, c0b);
                var row1 = Vector512.Create(a0[one]);
                c1a = Vector512.FusedMultiplyAdd(row1, ba, c1a);
                c1b = Vector512.FusedMultiplyAdd(row1, bb, c1b);
                var row2 = Vector512.Create(a0[two]);
                c2a = Vector512.FusedMultiplyAdd(row2, ba, c2a);
                c2b = Vector512.FusedMultiplyAdd(row2, bb, c2b);
                var row3 = Vector512.Create(*a3);
                c3a = Vector512.FusedMultiplyAdd(row3, ba, c3a);
                c3b = Vector512.FusedMultiplyAdd(row3, bb, c3b);
                var row4 = Vector512.Create(a3[one]);
                c4a = Vector512.FusedMultiplyAdd(row4, ba, c4a);
                c4b = Vector512.FusedMultiplyAdd(row4, bb, c4b);
                var row5 = Vector512.Create(a3[two]);
                c5a = Vector512.FusedMultiplyAdd(row5, ba, c5a);
                c5b = Vector512.FusedMultiplyAdd(row5, bb, c5b);
                var row6 = Vector512.Create(*a6);
                c6a = Vector512.FusedMultiplyAdd(row6, ba, c6a);
                c6b = Vector512.FusedMultiplyAdd(row6, bb, c6b);
                var row7 = Vector512.Create(a6[one]);
                c7a = Vector512.FusedMultiplyAdd(row7, ba, c7a);
                c7b = Vector512.FusedMultiplyAdd(row7, bb, c7b);
                var row8 = Vector512.Create(a6[two]);
                c8a = Vector512.FusedMultiplyAdd(row8, ba, c8a);
                c8b = Vector512.FusedMultiplyAdd(row8, bb, c8b);
                var row9 = Vector512.Create(*a9);
                c9a = Vector512.FusedMultiplyAdd(row9, ba, c9a);
                c9b = Vector512.FusedMultiplyAdd(row9, bb, c9b);
                var row10 = Vector512.Create(a9[one]);
                c10a = Vector512.FusedMultiplyAdd(row10, ba, c10a);
                c10b = Vector512.FusedMultiplyAdd(row10, bb, c10b);
                var row11 = Vector512.Create(a9[two]);
                c11a = Vector512.FusedMultiplyAdd(row11, ba, c11a);
                c11b = Vector512.FusedMultiplyAdd(row11, bb, c11b);
                a0 += tile.DepthStep;
                a3 += tile.DepthStep;
                a6 += tile.DepthStep;
                a9 += tile.DepthStep;
                b += tile.StepB;
            }
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
