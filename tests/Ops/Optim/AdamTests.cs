using NUnit.Framework;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Optim;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class AdamTests(TestDevice on)
{
    // Around a vector, and around a chunk of work.
    private static readonly int[] Counts = [0, 1, 15, 16, 17, 31, 33, 16384, 16385, 40001];

    [Test]
    public void Matches_f64_loops([ValueSource(nameof(Counts))] int count, [Values] bool decoupled)
    {
        var settings = new AdamSettings { LearningRate = 0.02, WeightDecay = 0.1 };
        float[] start = Samples.Normal(1, count);
        double[] p = Samples.ToDouble(start), m = new double[count], v = new double[count];
        using var device = on.Open();
        var values = Samples.Constant(device, new Shape(count), start);
        var (mean, meanSquare) = (device.AllocatePersistent(new Shape(count)), device.AllocatePersistent(new Shape(count)));
        for (int step = 1; step <= 4; step++)
        {
            float[] g = Samples.Normal(10 + step, count);
            Step(decoupled, values, Samples.Constant(device, new Shape(count), g), mean, meanSquare, step, settings, null);
            for (int i = 0; i < count; i++)
            {
                double gradient = g[i] + (decoupled ? 0 : 0.1 * p[i]);
                p[i] -= decoupled ? 0.02 * 0.1 * p[i] : 0;
                m[i] = (0.9 * m[i]) + (0.1 * gradient);
                v[i] = (0.999 * v[i]) + (0.001 * gradient * gradient);
                p[i] -= 0.02 * (m[i] / (1 - Math.Pow(0.9, step))) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.999, step))) + 1e-8);
            }
        }

        Close.Assert(Samples.Read(values), p, 1e-5, "values");
        Close.Assert(Samples.Read(mean), m, 1e-6, "m");
        Close.Assert(Samples.Read(meanSquare), v, 1e-6, "v");
    }

    [Test]
    public void Undecayed_runs_keep_their_values_without_gradient([Values] bool decoupled)
    {
        // With zero gradients only the decay moves a value (Adam's first step moves it by the whole rate).
        const int count = 40000;
        using var device = on.Open();
        var values = Samples.Constant(device, new Shape(count), Enumerable.Repeat(2f, count).ToArray());
        int[] runs = [0, 3, 17, 18, 100, 16500, 39999, 40000];
        var undecayed = device.Workspace.Rent(new Shape(runs.Length), ElementType.Int32);
        undecayed.CopyIntsFrom(runs);
        var zeros = device.AllocatePersistent(new Shape(count));
        var settings = new AdamSettings { LearningRate = 0.1, WeightDecay = 0.5 };
        Step(decoupled, values, zeros, device.AllocatePersistent(new Shape(count)), device.AllocatePersistent(new Shape(count)), 1, settings, undecayed);
        var got = Samples.Read(values);
        for (int i = 0; i < count; i++)
        {
            bool kept = i < 3 || i == 17 || (i >= 100 && i < 16500) || i == 39999;
            Assert.That(got[i], Is.EqualTo(kept ? 2f : 1.9f).Within(1e-6), $"element {i}");
        }
    }

    [Test]
    public void Thread_count_does_not_change_bits()
    {
        Assert.That(Run(2), Is.EqualTo(Run(1)));

        float[] Run(int threads)
        {
            const int count = 100_003;
            using var device = on.Open(threads);
            var values = Samples.Constant(device, new Shape(count), Samples.Normal(1, count));
            var (mean, meanSquare) = (device.AllocatePersistent(new Shape(count)), device.AllocatePersistent(new Shape(count)));
            for (int step = 1; step <= 3; step++)
            {
                Adam.Step(values, Samples.Constant(device, new Shape(count), Samples.Normal(step, count)), mean, meanSquare, step, new AdamSettings());
            }

            return Samples.Read(values);
        }
    }

    [Test]
    public void NaN_reaches_value_and_state()
    {
        using var device = on.Open(1);
        var (mean, meanSquare) = (device.AllocatePersistent(new Shape(20)), device.AllocatePersistent(new Shape(20)));
        float[] g = new float[20];
        g[3] = g[18] = float.NaN;
        var values = Samples.Constant(device, new Shape(20), new float[20]);
        Adam.Step(values, Samples.Constant(device, new Shape(20), g), mean, meanSquare, 1, new AdamSettings());
        foreach (var tensor in new[] { values, mean, meanSquare })
        {
            Assert.That(Samples.Read(tensor).Select(float.IsNaN), Is.EqualTo(g.Select(float.IsNaN)));
        }
    }

    [Test]
    public void Wrong_arguments_are_named()
    {
        using var device = on.Open(1);
        var (four, five) = (device.AllocatePersistent(new Shape(4)), device.AllocatePersistent(new Shape(5)));
        Assert.Multiple(() =>
        {
            Assert.That(() => Adam.Step(four, five, four, four, 1, new()), Throws.TypeOf<ShapeException>().With.Message.Contains("gradients"));
            Assert.That(() => Adam.Step(four, four, four, five, 1, new()), Throws.TypeOf<ShapeException>().With.Message.Contains("meanSquare"));
            Assert.That(() => Adam.Step(four, four, four, four, 1, new() { Beta2 = 1 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("beta2"));
            Assert.That(() => Adam.Step(four, four, four, four, 1, new() { LearningRate = double.NaN }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("learning rate"));
            Assert.That(() => AdamW.Step(four, four, four, four, 1, default), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("epsilon"));
            Assert.That(() => Adam.Step(four, four, four, four, 0, new()), Throws.TypeOf<ArgumentOutOfRangeException>());
        });
    }

    private static void Step(bool decoupled, Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, long step, AdamSettings settings, Tensor? undecayed)
    {
        if (decoupled)
        {
            AdamW.Step(values, gradients, mean, meanSquare, step, settings, undecayed);
        }
        else
        {
            Adam.Step(values, gradients, mean, meanSquare, step, settings, undecayed);
        }
    }
}
