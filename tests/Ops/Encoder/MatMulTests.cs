using NUnit.Framework;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class MatMulTests(TestDevice on)
{
    [Test]
    public void Gradients_match_differences([Values] bool transposeA, [Values] bool transposeB)
    {
        const int m = 5, n = 7, k = 9;
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [
                ("a", transposeA ? new Shape(k, m) : new Shape(m, k), Samples.Normal(1, m * k)),
                ("b", transposeB ? new Shape(n, k) : new Shape(k, n), Samples.Normal(2, k * n)),
            ],
            (tape, v) => MatMul.Forward(tape, v[0], v[1], transposeA, transposeB),
            v =>
            {
                var y = new double[m * n];
                for (int i = 0; i < m; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        for (int q = 0; q < k; q++)
                        {
                            y[(i * n) + j] += v[0][transposeA ? (q * m) + i : (i * k) + q] * v[1][transposeB ? (j * k) + q : (q * n) + j];
                        }
                    }
                }

                return y;
            });
    }

    [Test]
    public void Unequal_inner_lengths_are_named()
    {
        using var device = on.Open(1);
        var a = device.Workspace.Rent(new Shape(2, 3));
        var b = device.Workspace.Rent(new Shape(4, 5));
        Assert.That(() => MatMul.Forward(null, a, b), Throws.TypeOf<ShapeException>().With.Message.Contains("[2, 3]").And.Message.Contains("[4, 5]"));
    }
}
