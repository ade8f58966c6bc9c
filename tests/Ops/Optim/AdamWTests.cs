using NUnit.Framework;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Optim;

/// <summary>What sets AdamW apart; the shared pass is tested in <see cref="AdamTests"/>, PyTorch's values in <see cref="OptimizerGoldenTests"/>.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class AdamWTests(TestDevice on)
{
    [Test]
    public void Decay_scales_the_value_and_leaves_the_moments_alone()
    {
        using var device = on.Open(1);
        var shape = new Shape(33);
        var values = Samples.Constant(device, shape, Samples.Normal(1, 33));
        var (mean, meanSquare) = (device.AllocatePersistent(shape), device.AllocatePersistent(shape));
        AdamW.Step(values, device.AllocatePersistent(shape), mean, meanSquare, 1, new AdamSettings { LearningRate = 0.5, WeightDecay = 0.5 });
        Close.Assert(Samples.Read(values), Samples.Normal(1, 33).Select(v => 0.75 * v).ToArray(), 1e-6, "values");
        Assert.That(Samples.Read(mean), Has.All.EqualTo(0f));
        Assert.That(Samples.Read(meanSquare), Has.All.EqualTo(0f));
    }

    [Test]
    public void Without_decay_it_is_Adam_bit_by_bit()
    {
        using var device = on.Open(1);
        Assert.That(Run(decoupled: true), Is.EqualTo(Run(decoupled: false)));

        float[] Run(bool decoupled)
        {
            var shape = new Shape(50);
            var values = Samples.Constant(device, shape, Samples.Normal(1, 50));
            var gradients = Samples.Constant(device, shape, Samples.Normal(2, 50));
            var (mean, meanSquare) = (device.AllocatePersistent(shape), device.AllocatePersistent(shape));
            if (decoupled)
            {
                AdamW.Step(values, gradients, mean, meanSquare, 1, new AdamSettings());
            }
            else
            {
                Adam.Step(values, gradients, mean, meanSquare, 1, new AdamSettings());
            }

            return Samples.Read(values);
        }
    }
}
