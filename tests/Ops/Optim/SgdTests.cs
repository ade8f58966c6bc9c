using NUnit.Framework;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Optim;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class SgdTests(TestDevice on)
{
    [Test]
    public void Matches_f64_loops([Values(1, 16, 33, 16385)] int count, [Values(0, 0.9)] double momentum, [Values] bool nesterov)
    {
        if (nesterov && momentum == 0)
        {
            return;
        }

        var settings = new SgdSettings { LearningRate = 0.1, Momentum = momentum, WeightDecay = 0.05, Nesterov = nesterov };
        float[] start = Samples.Normal(1, count);
        double[] p = Samples.ToDouble(start), b = new double[count];
        using var device = on.Open();
        var values = Samples.Constant(device, new Shape(count), start);
        var buffer = momentum > 0 ? device.AllocatePersistent(new Shape(count)) : null;
        for (int step = 0; step < 4; step++)
        {
            float[] g = Samples.Normal(10 + step, count);
            Sgd.Step(values, Samples.Constant(device, new Shape(count), g), buffer, settings);
            for (int i = 0; i < count; i++)
            {
                double gradient = g[i] + (0.05 * p[i]);
                b[i] = step == 0 ? gradient : (momentum * b[i]) + gradient;
                p[i] -= 0.1 * (nesterov ? gradient + (momentum * b[i]) : b[i]);
            }
        }

        Close.Assert(Samples.Read(values), p, 2e-6, "values");
    }

    [Test]
    public void A_momentum_needs_a_buffer_and_Nesterov_a_momentum()
    {
        using var device = on.Open(1);
        var four = device.AllocatePersistent(new Shape(4));
        Assert.Multiple(() =>
        {
            Assert.That(() => Sgd.Step(four, four, null, new() { Momentum = 0.9 }), Throws.TypeOf<ShapeException>().With.Message.Contains("buffer"));
            Assert.That(() => Sgd.Step(four, four, four, new() { Nesterov = true }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("nesterov"));
        });
    }
}
