using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>6 × 16 tile in 12 accumulators of 8 lanes, for the 16 registers of AVX2.</summary>
internal readonly unsafe struct StridedKernel256 : IStridedKernel
{
    public static int Height => 6;

    public static int Width => 16;

    [MethodImpl(HotLoop.Options)]
    public static void Run(in StridedTile tile, float* c, nint strideC, bool accumulate)
    {
        Vector256<float> c0a = Vector256<float>.Zero, c0b = Vector256<float>.Zero;
        Vector256<float> c1a = Vector256<float>.Zero, c1b = Vector256<float>.Zero;
        Vector256<float> c2a = Vector256<float>.Zero, c2b = Vector256<float>.Zero;
        Vector256<float> c3a = Vector256<float>.Zero, c3b = Vector256<float>.Zero;
        Vector256<float> c4a = Vector256<float>.Zero, c4b = Vector256<float>.Zero;
        Vector256<float> c5a = Vector256<float>.Zero, c5b = Vector256<float>.Zero;

        // Every third row has a pointer of its own; the two after it are reached by the row step and its double.
        nint one = tile.RowStep, two = 2 * one;
        for (int segment = 0; segment < tile.Segments; segment++)
        {
            float* a0 = tile.A + (segment * tile.SegmentA);
            float* a3 = a0 + one + two;
            float* b = tile.B + (segment * tile.SegmentB);
            for (int k = tile.Depth; k > 0; k--)
            {
                var (ba, bb) = (Vector256.Load(b), Vector256.Load(b + 8));
                var row0 = Vector256.Create(*a0);
                c0a = Vector256.FusedMultiplyAdd(row0, ba, c0a);
                c0b = Vector256.FusedMultiplyAdd(row0, bb, c0b);
                var row1 = Vector256.Create(a0[one]);
                c1a = Vector256.FusedMultiplyAdd(row1, ba, c1a);
                c1b = Vector256.FusedMultiplyAdd(row1, bb, c1b);
                var row2 = Vector256.Create(a0[two]);
                c2a = Vector256.FusedMultiplyAdd(row2, ba, c2a);
                c2b = Vector256.FusedMultiplyAdd(row2, bb, c2b);
                var row3 = Vector256.Create(*a3);
                c3a = Vector256.FusedMultiplyAdd(row3, ba, c3a);
                c3b = Vector256.FusedMultiplyAdd(row3, bb, c3b);
                var row4 = Vector256.Create(a3[one]);
                c4a = Vector256.FusedMultiplyAdd(row4, ba, c4a);
                c4b = Vector256.FusedMultiplyAdd(row4, bb, c4b);
                var row5 = Vector256.Create(a3[two]);
                c5a = Vector256.FusedMultiplyAdd(row5, ba, c5a);
                c5b = Vector256.FusedMultiplyAdd(row5, bb, c5b);
                a0 += tile.DepthStep;
                a3 += tile.DepthStep;
                b += tile.StepB;
            }
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
}
