using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Collectives;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class GatherViewsTests(TestDevice on)
{
    [Test]
    [Category("Sanitized")]
    public void Rows_lie_as_one_process_would_have_them_and_gradients_are_multiplied(
        [Values(1, 2, 3)] int ranks, [Values(1, 2, 5)] int views, [Values(1, 3)] int each, [Values] bool accumulates)
    {
        // A row's value names its place in the joined batch: view, then row.
        const int Width = 2;
        int batch = ranks * each;
        float[] weights = Samples.Normal(3, views * batch * Width);
        ThreadCollective.Run(ranks, processes =>
        {
            using var device = on.Open(1);
            device.Collective = processes;
            float[] own = [.. Enumerable.Range(0, views).SelectMany(v => Enumerable.Range(0, each).SelectMany(i => Row(v, (processes.Rank * each) + i)))];
            var x = Samples.Variable(device, new Shape(views * each, Width), own);
            if (accumulates)
            {
                var already = x.GradForWrite(out _);
                device.Fill(already, 1);
            }

            var tape = new Tape();
            var y = GatherViews.Forward(tape, x, views);
            Assert.That(Samples.Read(y), Is.EqualTo(Enumerable.Range(0, views).SelectMany(v => Enumerable.Range(0, batch).SelectMany(i => Row(v, i)))));
            if (ranks == 1)
            {
                Assert.That(y, Is.SameAs(x));
                return 0;
            }

            y.GradForWrite(out _).CopyFrom(weights);
            GradientCheck.Backward(tape);
            double[] want =
            [
                .. from view in Enumerable.Range(0, views)
                   from i in Enumerable.Range(0, each * Width)
                   select (ranks * (double)weights[(((view * batch) + (processes.Rank * each)) * Width) + i]) + (accumulates ? 1 : 0),
            ];
            Close.Assert(Samples.Read(x.Grad!), want, Tolerance.ElementWise * 20, "gradient");
            return 0;
        });

        static float[] Row(int view, int row) => [(100 * view) + row, -1];
    }
}
