using NUnit.Framework;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Optim;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class EmaTests(TestDevice on)
{
    [Test]
    public void Mixes_target_and_source([Values(1, 31, 32, 33, 16385)] int count, [Values(0, 0.5, 0.999, 1)] double momentum)
    {
        using var device = on.Open();
        float[] t = Samples.Normal(1, count), s = Samples.Normal(2, count);
        var target = Samples.Constant(device, new Shape(count), t);
        Ema.Step(target, Samples.Constant(device, new Shape(count), s), momentum);
        var want = new double[count];
        for (int i = 0; i < count; i++)
        {
            want[i] = (momentum * t[i]) + ((1 - momentum) * s[i]);
        }

        Close.Assert(Samples.Read(target), want, momentum is 0 or 1 ? 0 : 1e-6, "target");
    }

    [Test]
    public void Momentum_outside_its_range_is_named()
    {
        using var device = on.Open(1);
        var x = device.AllocatePersistent(new Shape(4));
        Assert.That(() => Ema.Step(x, x, 1.5), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("momentum = 1.5"));
    }
}
