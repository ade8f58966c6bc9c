using NUnit.Framework;
using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Score;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class CosineTopKTests(TestDevice on)
{
    [TestCase(1, 1, 1, 1)]
    [TestCase(3, 7, 5, 7)]
    [TestCase(17, 300, 33, 10)]
    [TestCase(2, 2500, 8, 1024)]
    [TestCase(5, 9001, 4, 40)]
    public void Neighbours_are_those_of_all_cosines_in_f64(int rows, int keys, int width, int neighbours)
    {
        float[] q = Samples.Normal(1, rows * width), k = Samples.Normal(2, keys * width);
        using var device = on.Open();
        var (cosines, indices) = CosineTopK.Forward(
            Samples.Constant(device, new Shape(rows, width), q), Samples.Constant(device, new Shape(keys, width), k), neighbours);
        float[] got = Samples.Read(cosines);
        int[] which = new int[rows * neighbours];
        indices.CopyIntsTo(which);
        for (int row = 0; row < rows; row++)
        {
            double[] all = [.. Enumerable.Range(0, keys).Select(j => Cosine(q.AsSpan(row * width, width), k.AsSpan(j * width, width)))];
            double[] want = [.. all.OrderDescending().Take(neighbours)];
            var found = which.AsSpan(row * neighbours, neighbours);
            Close.Assert(got.AsSpan(row * neighbours, neighbours), want, 2 * Tolerance.Reduction(width), $"cosines of row {row}");

            // Which of two nearly equal keys comes first is a matter of rounding; each must have its own cosine.
            Assert.That(found.ToArray(), Is.Unique);
            for (int i = 0; i < neighbours; i++)
            {
                Assert.That(got[(row * neighbours) + i], Is.EqualTo(all[found[i]]).Within(2 * Tolerance.Reduction(width)));
            }
        }
    }

    [Test]
    public void Equal_keys_come_in_the_order_of_their_rows()
    {
        const int keys = 1500;
        float[] k = new float[keys * 2];
        for (int i = 0; i < keys; i++)
        {
            k[(2 * i) + (i % 3 == 0 ? 0 : 1)] = 2;
        }

        using var device = on.Open();
        var (cosines, indices) = CosineTopK.Forward(Samples.Constant(device, new Shape(1, 2), [5, 0]), Samples.Constant(device, new Shape(keys, 2), k), 700);
        int[] which = new int[700];
        indices.CopyIntsTo(which);
        int[] want = [.. Enumerable.Range(0, keys).Where(i => i % 3 == 0), .. Enumerable.Range(0, keys).Where(i => i % 3 != 0).Take(200)];
        Assert.That(which, Is.EqualTo(want));
        Assert.That(Samples.Read(cosines), Is.EqualTo(Enumerable.Repeat(1f, 500).Concat(Enumerable.Repeat(0f, 200))));
    }

    [Test]
    public void Rows_of_zeros_have_cosine_zero()
    {
        using var device = on.Open();
        var (cosines, indices) = CosineTopK.Forward(
            Samples.Constant(device, new Shape(2, 2), [0, 0, 1, 0]), Samples.Constant(device, new Shape(3, 2), [-1, 0, 0, 0, 3, 0]), 3);
        int[] which = new int[6];
        indices.CopyIntsTo(which);
        Assert.That(Samples.Read(cosines), Is.EqualTo(new float[] { 0, 0, 0, 1, 0, -1 }));
        Assert.That(which, Is.EqualTo(new[] { 0, 1, 2, 2, 1, 0 }));
    }

    [Test]
    public void Wrong_arguments_are_refused()
    {
        using var device = on.Open();
        var x = Samples.Constant(device, new Shape(2, 3), new float[6]);
        Assert.Multiple(() =>
        {
            Assert.That(() => CosineTopK.Forward(x, x, 3), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("1 to 2"));
            Assert.That(() => CosineTopK.Forward(x, x, 0), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => CosineTopK.Forward(x, Samples.Constant(device, new Shape(3, 2), new float[6]), 1), Throws.TypeOf<ShapeException>());
        });
    }

    private static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double dot = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++)
        {
            dot += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }

        return dot / Math.Sqrt(aa * bb);
    }
}
