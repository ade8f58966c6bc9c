using NUnit.Framework;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class SupervisedContrastTests(TestDevice on)
{
    [Test]
    public void Gradients_match_differences([Values(2, 3)] int views, [Values(1, 2, 6)] int groupCount)
    {
        const int items = 6, width = 5;
        const double temperature = 0.3;
        int[] groups = [.. Enumerable.Range(0, items).Select(i => i % groupCount)];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("rows", new Shape(views * items, width), Samples.Normal(4, views * items * width))],
            (tape, v) => SupervisedContrast.Forward(tape, v[0], views, GroupSimilarityTests.Groups(device, groups), (float)temperature),
            v => [Reference(v[0], items, width, groups, (float)temperature)]);
    }

    // All rows alike: every row finds each of the others with the same probability, whatever the groups.
    [Test]
    public void Equal_rows_are_found_by_chance()
    {
        using var device = on.Open();
        var rows = Samples.Constant(device, new Shape(8, 3), [.. Enumerable.Repeat((float[])[1, 2, 3], 8).SelectMany(r => r)]);
        var loss = SupervisedContrast.Forward(null, rows, 2, GroupSimilarityTests.Groups(device, 0, 0, 1, 1), 0.1f);
        Close.Assert(Samples.Read(loss), [Math.Log(7)], 1e-5, "loss");
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var rows = Samples.Constant(device, new Shape(6, 4), new float[24]);
        Assert.Multiple(() =>
        {
            Assert.That(() => SupervisedContrast.Forward(null, rows, 2, GroupSimilarityTests.Groups(device, 1, 2), 0.1f), Throws.TypeOf<ShapeException>());
            Assert.That(() => SupervisedContrast.Forward(null, rows, 1, GroupSimilarityTests.Groups(device, 1, 2, 3, 4, 5, 6), 0.1f), Throws.TypeOf<ShapeException>());
            Assert.That(() => SupervisedContrast.Forward(null, rows, 3, GroupSimilarityTests.Groups(device, 1, 2), 0), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("temperature = 0"));
        });
    }

    private static double Reference(double[] rows, int items, int width, int[] groups, double temperature)
    {
        int count = rows.Length / width;
        double[][] unit = [.. Enumerable.Range(0, count).Select(i =>
        {
            double[] row = rows[(i * width)..((i + 1) * width)];
            double norm = Math.Sqrt(row.Sum(v => v * v));
            return row.Select(v => v / norm).ToArray();
        })];
        return Enumerable.Range(0, count).Average(i =>
        {
            double[] logits = [.. unit.Select(other => other.Zip(unit[i], (a, b) => a * b).Sum() / temperature)];
            double all = Math.Log(Enumerable.Range(0, count).Where(r => r != i).Sum(r => Math.Exp(logits[r])));
            return Enumerable.Range(0, count).Where(a => a != i && groups[a % items] == groups[i % items]).Average(a => all - logits[a]);
        });
    }
}
