using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>The arithmetics of the matrix product against f64, with every tile of CUDA, order and split.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class MatMulPrecisionTests(TestDevice on)
{
    // Small and ragged; aligned; a split inner length, ragged and aligned; enough rows for large tiles, ragged and aligned.
    [TestCase(3, 5, 7, false, false)]
    [TestCase(70, 65, 35, false, false)]
    [TestCase(70, 65, 35, false, true)]
    [TestCase(70, 65, 35, true, false)]
    [TestCase(70, 65, 35, true, true)]
    [TestCase(68, 72, 36, false, false)]
    [TestCase(68, 72, 36, true, true)]
    [TestCase(20, 9, 530, false, true)]
    [TestCase(20, 12, 1100, true, false)]
    [TestCase(4100, 129, 17, false, false)]
    [TestCase(4100, 129, 17, true, false)]
    [TestCase(4100, 132, 20, false, true)]
    [TestCase(4100, 132, 20, true, true)]
    [Category("Sanitized")]
    public void Every_arithmetic_matches_f64_on_equally_rounded_operands(int m, int n, int k, bool transposeA, bool transposeB)
    {
        float[] a = Samples.Normal(1, m * k), b = Samples.Normal(2, k * n);
        double[] exact = Product(Samples.ToDouble(a), Samples.ToDouble(b), m, n, k, transposeA, transposeB);
        foreach (var precision in on.Precisions)
        {
            using var device = on.Open(precision: precision);
            var got = Run();
            double[] want = Product(Rounding.Of(precision, a), Rounding.Of(precision, b), m, n, k, transposeA, transposeB);
            Rounding.AssertProduct(precision, k, got, want, exact, $"{precision}");
            Assert.That(Run(), Is.EqualTo(got), "the same bits again");

            float[] Run()
            {
                var ta = Samples.Constant(device, transposeA ? new Shape(k, m) : new Shape(m, k), a);
                var tb = Samples.Constant(device, transposeB ? new Shape(n, k) : new Shape(k, n), b);
                return Samples.Read(MatMul.Forward(null, ta, tb, transposeA, transposeB));
            }
        }
    }

    [Test]
    public void Gradients_add_to_what_is_there([Values(24, 600)] int k)
    {
        foreach (var precision in on.Precisions)
        {
            CheckAddedGradients(precision, k);
        }
    }

    [Test]
    public void A_sum_of_nothing_is_zero()
    {
        foreach (var precision in on.Precisions)
        {
            using var device = on.Open(precision: precision);
            var y = MatMul.Forward(null, device.Workspace.Rent(new Shape(3, 0)), device.Workspace.Rent(new Shape(0, 4)));
            Assert.That(Samples.Read(y), Is.EqualTo(new float[12]), $"{precision}");
        }
    }

    private void CheckAddedGradients(Precision precision, int k)
    {
        const int m = 21, n = 18;
        float[] a = Samples.Normal(1, m * k), b = Samples.Normal(2, k * n), dy = Samples.Normal(3, m * n);
        float[] da = Samples.Normal(4, m * k), db = Samples.Normal(5, k * n);
        using var device = on.Open(precision: precision);
        var tape = new Tape();
        var (ta, tb) = (Samples.Variable(device, new Shape(m, k), a), Samples.Variable(device, new Shape(k, n), b));
        var y = MatMul.Forward(tape, ta, tb);
        y.GradForWrite(out _).CopyFrom(dy);
        ta.GradForWrite(out _).CopyFrom(da);
        tb.GradForWrite(out _).CopyFrom(db);
        GradientCheck.Backward(tape);
        double[] g = Rounding.Of(precision, dy);
        double[] wantA = Product(g, Rounding.Of(precision, b), m, k, n, false, true);
        double[] wantB = Product(Rounding.Of(precision, a), g, k, n, m, true, false);
        Check(ta, da, wantA, n, "a");
        Check(tb, db, wantB, m, "b");

        void Check(Tensor of, float[] before, double[] added, int length, string what) => Close.Assert(
            Samples.Read(of.Grad!), [.. added.Select((v, i) => v + before[i])], Tolerance.Reduction(length) * added.Max(Math.Abs),
            $"gradient of {what}, {precision}");
    }

    private static double[] Product(double[] a, double[] b, int m, int n, int k, bool transposeA, bool transposeB)
    {
        var y = new double[m * n];
        for (int i = 0; i < m; i++)
        {
            for (int q = 0; q < k; q++)
            {
                double x = a[transposeA ? (q * m) + i : (i * k) + q];
                for (int j = 0; j < n; j++)
                {
                    y[(i * n) + j] += x * b[transposeB ? (j * k) + q : (q * n) + j];
                }
            }
        }

        return y;
    }
}
