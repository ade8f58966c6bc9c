using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Tests.Support;

namespace Spk.Tests.Numerics;

public unsafe class StridedProductTests
{
    // Rows, depths, segments and the distances between them: windows that overlap, and columns of a transposed operand.
    [TestCase(16, 1, 48, 3, 500)]
    [TestCase(1, 16, 21, 1, 0)]
    [TestCase(7, 3, 0, 2, 40)]
    [TestCase(5, 1, 9, 0, 0)]
    public void Every_kernel_matches_f64_sums(int rowStep, int depthStep, int depth, int segments, int segmentA)
    {
        Check<StridedKernel512>(rowStep, depthStep, depth, segments, segmentA);
        Check<StridedKernel512Narrow>(rowStep, depthStep, depth, segments, segmentA);
        Check<StridedKernel256>(rowStep, depthStep, depth, segments, segmentA);
    }

    [Test]
    public void Strips_cover_all_columns()
    {
        for (int columns = 1; columns < 140; columns++)
        {
            int padded = StridedProduct.Padded(columns);
            Assert.That(padded, Is.GreaterThanOrEqualTo(columns).And.LessThan(columns + 32));
            Assert.That(padded % 16, Is.Zero);
        }
    }

    private static void Check<TKernel>(int rowStep, int depthStep, int depth, int segments, int segmentA) where TKernel : struct, IStridedKernel
    {
        int height = TKernel.Height, width = TKernel.Width, stepB = width + 3, segmentB = (depth * stepB) + 5, strideC = width + 1;
        float[] a = Samples.Normal(1, (segments * segmentA) + (depth * depthStep) + (height * rowStep) + 1);
        float[] b = Samples.Normal(2, (segments * segmentB) + width + 1), start = Samples.Normal(3, height * strideC);
        foreach (bool accumulate in new[] { false, true })
        {
            float[] c = [.. start];
            fixed (float* pa = a, pb = b, pc = c)
            {
                var tile = new StridedTile
                {
                    A = pa,
                    B = pb,
                    RowStep = rowStep,
                    DepthStep = depthStep,
                    StepB = stepB,
                    SegmentA = segmentA,
                    SegmentB = segmentB,
                    Segments = segments,
                    Depth = depth,
                };
                TKernel.Run(tile, pc, strideC, accumulate);
            }

            double[] want = Samples.ToDouble(start);
            for (int i = 0; i < height; i++)
            {
                for (int j = 0; j < width; j++)
                {
                    double sum = accumulate ? start[(i * strideC) + j] : 0;
                    for (int s = 0; s < segments; s++)
                    {
                        for (int k = 0; k < depth; k++)
                        {
                            sum += (double)a[(s * segmentA) + (i * rowStep) + (k * depthStep)] * b[(s * segmentB) + (k * stepB) + j];
                        }
                    }

                    want[(i * strideC) + j] = sum;
                }
            }

            Close.Assert(c, want, 16 * Tolerance.Reduction((segments * depth) + 1), $"{typeof(TKernel).Name}, accumulate {accumulate}");
        }
    }
}
