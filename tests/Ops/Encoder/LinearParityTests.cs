using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>Linear on CUDA against the CPU, with rows enough for split sums and several chunks of the bias gradient.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class LinearParityTests(TestDevice on)
{
    [TestCase(1100, 30, 19, 0)]
    [TestCase(1100, 32, 20, 4)]
    [TestCase(67, 129, 131, 1)]
    public void Matches_the_CPU_and_repeats_its_bits(int rows, int input, int output, int first)
    {
        float[] x = Samples.Normal(1, rows * (input + (2 * first))), w = Samples.Normal(2, output * input), b = Samples.Normal(3, output);
        float[] dy = Samples.Normal(4, rows * output);
        var want = Run(TestDevice.Cpu);
        var got = Run(on);
        var again = Run(on);
        int[] lengths = [input, output, rows, rows];
        for (int i = 0; i < want.Length; i++)
        {
            Close.Assert(got[i], Samples.ToDouble(want[i]), 2 * Tolerance.Reduction(lengths[i]) * want[i].Max(Math.Abs), $"result {i}");
            Assert.That(again[i].AsSpan().SequenceEqual(got[i]), $"the same bits again, result {i}");
        }

        float[][] Run(TestDevice where)
        {
            using var device = where.Open();
            var tape = new Tape();
            var tx = Samples.Variable(device, new Shape(rows, input + (2 * first)), x);
            var tw = Samples.Variable(device, new Shape(output, input), w);
            var tb = Samples.Variable(device, new Shape(output), b);
            var y = Linear.Forward(tape, tx.Channels(first, input), tw, tb);
            y.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            return [Samples.Read(y), Samples.Read(tx.Grad!), Samples.Read(tw.Grad!), Samples.Read(tb.Grad!)];
        }
    }
}
