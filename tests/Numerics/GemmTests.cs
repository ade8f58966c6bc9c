using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Numerics;

public unsafe class GemmTests
{
    // One element, around a tile (12 x 32, 6 x 16), around a depth block (256), tall, wide, empty inner length.
    private static readonly (int M, int N, int K)[] Sizes =
        [(1, 1, 1), (11, 31, 7), (12, 32, 256), (13, 33, 257), (145, 65, 513), (300, 40, 3), (7, 600, 100), (5, 4, 0), (64, 64, 1100)];

    private static IEnumerable<TestCaseData> Cases() =>
        from size in Sizes
        from transposeA in new[] { false, true }
        from transposeB in new[] { false, true }
        select new TestCaseData(size.M, size.N, size.K, transposeA, transposeB);

    [TestCaseSource(nameof(Cases))]
    public void Both_kernels_match_f64_sums(int m, int n, int k, bool transposeA, bool transposeB)
    {
        using var device = new CpuDevice(2);
        float[] a = Samples.Normal(1, m * k), b = Samples.Normal(2, k * n), start = Samples.Normal(3, m * n), bias = Samples.Normal(4, n);
        var want = new double[m * n];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = start[(i * n) + j] + bias[j];
                for (int q = 0; q < k; q++)
                {
                    sum += (double)a[transposeA ? (q * m) + i : (i * k) + q] * b[transposeB ? (j * k) + q : (q * n) + j];
                }

                want[(i * n) + j] = sum;
            }
        }

        // Terms have magnitude about 1, so the limit of a sum applies absolutely; the largest of k products is below 16.
        double limit = 16 * Tolerance.Reduction(k + 2);
        Close.Assert(Product<GemmKernel512>(device, a, b, start, bias, m, n, k, transposeA, transposeB), want, limit, "12 x 32");
        Close.Assert(Product<GemmKernel256>(device, a, b, start, bias, m, n, k, transposeA, transposeB), want, limit, "6 x 16");
    }

    [Test]
    public void Bits_do_not_depend_on_the_thread_count()
    {
        const int m = 333, n = 97, k = 700;
        float[] a = Samples.Normal(1, m * k), b = Samples.Normal(2, k * n), zero = new float[m * n], bias = new float[n];
        using var one = new CpuDevice(1);
        using var three = new CpuDevice(3);
        var first = Product<GemmKernel512>(one, a, b, zero, bias, m, n, k, false, true);
        Assert.That(Product<GemmKernel512>(three, a, b, zero, bias, m, n, k, false, true), Is.EqualTo(first));
    }

    private static float[] Product<TKernel>(
        CpuDevice device, float[] a, float[] b, float[] start, float[] bias, int m, int n, int k, bool transposeA, bool transposeB)
        where TKernel : struct, IGemmKernel
    {
        device.Workspace.Reset();
        var ta = Samples.Constant(device, new Shape(m, k), a);
        var tb = Samples.Constant(device, new Shape(k, n), b);
        var tc = Samples.Constant(device, new Shape(m, n), start);
        var bt = Samples.Constant(device, new Shape(n), bias);
        var va = transposeA ? MatrixView.Of(ta.Data, k, m, m).Transposed : MatrixView.Of(ta.Data, m, k, k);
        var vb = transposeB ? MatrixView.Of(tb.Data, n, k, k).Transposed : MatrixView.Of(tb.Data, k, n, n);
        Gemm.Run<TKernel>(device, va, vb, tc.Data, n, accumulate: true, new ProductEpilogue(bt));
        return Samples.Read(tc);
    }
}
