using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Optim;

/// <summary>What optimisers do in their pass besides stepping: clip the gradient, and take an average along. Both must give the bits of separate passes.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class MovingAverageTests(TestDevice on)
{
    private const double Rate = 0.01, Decay = 0.1, Momentum = 0.9;

    public enum Rule
    {
        Adam,
        AdamW,
        Sgd,
        Nesterov,
        Plain,
    }

    [Category("Sanitized")]
    [Test]
    public void An_average_has_the_bits_of_a_pass_of_its_own(
        [Values] Rule rule, [Values(1, 16, 37, 16401)] int count, [Values(0, 0.99, 1)] double momentum, [Values] bool sparesSome)
    {
        using var device = on.Open();
        var undecayed = sparesSome ? Undecayed(device, count) : null;
        var together = new State(device, count);
        var apart = new State(device, count);
        for (int step = 1; step <= 3; step++)
        {
            together.Gradients.CopyFrom(Samples.Normal(step, count));
            apart.Gradients.CopyFrom(Samples.Normal(step, count));
            together.Step(rule, step, 1, new MovingAverage(together.Average, momentum), undecayed);
            apart.Step(rule, step, 1, null, undecayed);
            Ema.Step(apart.Average, apart.Values, momentum);
        }

        Assert.That(Samples.Read(together.Values), Is.EqualTo(Samples.Read(apart.Values)), "the values do not depend on it");
        Assert.That(Samples.Read(together.Average), Is.EqualTo(Samples.Read(apart.Average)));
        Assert.That(Samples.Read(together.Average).SequenceEqual(Samples.Normal(7, count)), Is.EqualTo(momentum == 1), "it moves unless all of it is kept");
    }

    [Category("Sanitized")]
    [Test]
    public void A_factor_has_the_bits_of_scaled_gradients([Values] Rule rule, [Values(1, 16, 37, 16401)] int count)
    {
        const float factor = 0.37f;
        using var device = on.Open();
        var read = new State(device, count);
        var scaled = new State(device, count);
        float[] gradients = Samples.Normal(3, count);
        read.Gradients.CopyFrom(gradients);
        scaled.Gradients.CopyFrom([.. gradients.Select(g => factor * g)]);
        read.Step(rule, 1, factor, null);
        scaled.Step(rule, 1, 1, null);
        Assert.That(Samples.Read(read.Values), Is.EqualTo(Samples.Read(scaled.Values)));
        Assert.That(Samples.Read(read.First), Is.EqualTo(Samples.Read(scaled.First)));
        Assert.That(Samples.Read(read.Second), Is.EqualTo(Samples.Read(scaled.Second)));
        Assert.That(Samples.Read(read.Gradients), Is.EqualTo(gradients), "the gradients stay");
    }

    [Test]
    public void Wrong_averages_and_factors_are_named([Values] Rule rule)
    {
        using var device = on.Open(1);
        var state = new State(device, 4);
        var five = device.AllocatePersistent(new Shape(5));
        Assert.Multiple(() =>
        {
            Assert.That(() => state.Step(rule, 1, 1, new MovingAverage(five, 0.9)), Throws.TypeOf<ShapeException>().With.Message.Contains("average"));
            Assert.That(() => state.Step(rule, 1, 1, new MovingAverage(state.Average, 1.1)), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("momentum = 1.1"));
            Assert.That(() => state.Step(rule, 1, 0, null), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("gradient factor"));
            Assert.That(() => state.Step(rule, 1, double.NaN, null), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("gradient factor"));
        });
    }

    // The first element, and a run that ends within a vector and beyond a worker's share.
    private static Tensor Undecayed(Device device, int count)
    {
        int[] runs = count < 20 ? [0, 1] : [0, 1, 17, count - 3];
        var tensor = device.AllocatePersistent(new Shape(runs.Length), ElementType.Int32);
        tensor.CopyIntsFrom(runs);
        return tensor;
    }

    private sealed class State
    {
        public State(Device device, int count)
        {
            Values = Samples.Constant(device, new Shape(count), Samples.Normal(6, count));
            Average = Samples.Constant(device, new Shape(count), Samples.Normal(7, count));
            Gradients = device.AllocatePersistent(new Shape(count));
            First = device.AllocatePersistent(new Shape(count));
            Second = device.AllocatePersistent(new Shape(count));
        }

        public Tensor Values { get; }

        public Tensor Average { get; }

        public Tensor Gradients { get; }

        public Tensor First { get; }

        public Tensor Second { get; }

        public void Step(Rule rule, long step, double factor, MovingAverage? average, Tensor? undecayed = null)
        {
            var adam = new AdamSettings { LearningRate = Rate, WeightDecay = Decay, GradientFactor = factor };
            var sgd = new SgdSettings
            {
                LearningRate = Rate,
                WeightDecay = Decay,
                GradientFactor = factor,
                Momentum = rule == Rule.Plain ? 0 : Momentum,
                Nesterov = rule == Rule.Nesterov,
            };
            switch (rule)
            {
                case Rule.Adam:
                    Adam.Step(Values, Gradients, First, Second, step, adam, undecayed, average);
                    break;
                case Rule.AdamW:
                    AdamW.Step(Values, Gradients, First, Second, step, adam, undecayed, average);
                    break;
                default:
                    Sgd.Step(Values, Gradients, rule == Rule.Plain ? null : First, sgd, undecayed, average);
                    break;
            }
        }
    }
}
