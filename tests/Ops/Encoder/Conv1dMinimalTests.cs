using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>Convolutions of three taps with so many channels that the CPU computes them by minimal filtering.</summary>
public class Conv1dMinimalTests
{
    private const int Batch = 2, Frames = 39, Inputs = 64, Outputs = 70;

    [Test]
    public void Results_and_gradients_match_differences([Values] Padding padding, [Values(1, 2, 3)] int dilation)
    {
        int pad = padding == Padding.Valid ? 0 : dilation, result = Frames + (2 * pad) - (2 * dilation);
        float[][] values =
        [
            Samples.Normal(1, Batch * Frames * Inputs), Samples.Normal(2, Outputs * 3 * Inputs), Samples.Normal(3, Outputs), Samples.Normal(4, Batch * result * Outputs),
        ];
        using var device = new CpuDevice(2);
        var (y, gradients) = Step(device, values, dilation, padding, passes: 2);
        double[] want = Reference(values, dilation, padding, pad, result);
        Close.Assert(y, want, Tolerance.Reduction(3 * Inputs) * want.Max(Math.Abs), "output");

        // Along a random direction the difference of sum(y · dy) is exact for a map that is linear in each input. The second pass has added its gradient.
        for (int k = 0; k < gradients.Length; k++)
        {
            for (int seed = 10; seed < 14; seed++)
            {
                float[] direction = Samples.Normal(seed, values[k].Length);
                double above = Moved(values, k, direction, 1f), below = Moved(values, k, direction, -1f);
                double slope = gradients[k].Zip(direction, (g, d) => (double)g * d).Sum();
                double scale = Math.Sqrt(gradients[k].Sum(g => (double)g * g));
                Assert.That(slope, Is.EqualTo(above - below).Within(Tolerance.Gradient * scale), $"input {k} along direction {seed}");
            }
        }

        double Moved(float[][] at, int k, float[] direction, float step)
        {
            float[][] moved = [.. at];
            moved[k] = [.. at[k].Zip(direction, (v, d) => v + (step * d))];
            return Reference(moved, dilation, padding, pad, result).Zip(at[3], (a, b) => a * b).Sum();
        }
    }

    [Test]
    public void Bits_do_not_depend_on_the_thread_count([Values] Padding padding)
    {
        float[][] values =
        [
            Samples.Normal(1, Batch * Frames * Inputs), Samples.Normal(2, Outputs * 3 * Inputs), Samples.Normal(3, Outputs), Samples.Normal(4, Batch * Frames * Outputs),
        ];
        using var one = new CpuDevice(1);
        var (y, gradients) = Step(one, values, 2, padding, passes: 1);
        foreach (int threads in new[] { 2, 3 })
        {
            using var several = new CpuDevice(threads);
            var (sameY, sameGradients) = Step(several, values, 2, padding, passes: 1);
            Assert.That(sameY, Is.EqualTo(y));
            Assert.That(sameGradients, Is.EqualTo(gradients));
        }
    }

    // One value of the first utterance, near an end or inside.
    [Test]
    public void What_is_not_finite_reaches_the_frames_that_read_it([Values] Padding padding, [Values(float.NaN, float.PositiveInfinity)] float value)
    {
        const int dilation = 2;
        int pad = padding == Padding.Valid ? 0 : dilation, result = Frames + (2 * pad) - (2 * dilation);
        using var device = new CpuDevice(2);
        foreach (int frame in new[] { 0, 2, 17, result - 1 })
        {
            float[][] values =
            [
                Samples.Normal(1, Batch * Frames * Inputs), Samples.Normal(2, Outputs * 3 * Inputs), Samples.Normal(3, Outputs), Samples.Normal(4, Batch * result * Outputs),
            ];
            values[0][(frame * Inputs) + 5] = value;
            values[3][(frame * Outputs) + 6] = value;
            var (y, gradients) = Step(device, values, dilation, padding, passes: 1);
            for (int row = 0; row < Batch * result; row++)
            {
                bool reads = row < result && Read(row).Contains(frame);
                Assert.That(y.Skip(row * Outputs).Take(Outputs).Select(float.IsFinite), Is.All.EqualTo(!reads), $"frame {frame}, result {row}");
            }

            for (int row = 0; row < Batch * Frames; row++)
            {
                bool reads = Read(frame).Contains(row);
                Assert.That(gradients[0].Skip(row * Inputs).Take(Inputs).Select(float.IsFinite), Is.All.EqualTo(!reads), $"result {frame}, gradient {row}");
            }
        }

        // Frames that the taps read for one of the result.
        IEnumerable<int> Read(int row)
        {
            var frames = Enumerable.Range(0, 3).Select(tap => row + (tap * dilation) - pad);
            return padding == Padding.Zero ? frames.Where(at => at >= 0 && at < Frames) : frames.Select(at => at < 0 ? -at : at < Frames ? at : (2 * (Frames - 1)) - at);
        }
    }

    [Test]
    public void A_batch_of_no_utterances_gives_nothing_and_gradients_of_zero([Values] Padding padding)
    {
        using var device = new CpuDevice(2);
        var x = Samples.Variable(device, new Shape(0, Frames, Inputs), []);
        var weight = Samples.Variable(device, new Shape(Outputs, 3, Inputs), Samples.Normal(2, Outputs * 3 * Inputs));
        var bias = Samples.Variable(device, new Shape(Outputs), Samples.Normal(3, Outputs));
        var tape = new Tape();
        var y = Conv1d.Forward(tape, x, weight, bias, 2, padding);
        Assert.That(y.Shape, Is.EqualTo(new Shape(0, padding == Padding.Valid ? Frames - 4 : Frames, Outputs)));
        device.Zero(y.GradForWrite(out _));
        GradientCheck.Backward(tape);
        Assert.That(x.Grad!.Count, Is.Zero);
        Assert.That(Samples.Read(weight.Grad!), Is.All.Zero);
        Assert.That(Samples.Read(bias.Grad!), Is.All.Zero);
    }

    [Test]
    public void A_step_allocates_nothing()
    {
        AssertPays(2, Padding.Reflect);
        using var device = new CpuDevice(2);
        var x = device.AllocatePersistent(new Shape(Batch, Frames, Inputs));
        var parameters = new ParameterSet(device);
        var weight = parameters.Add("weight", new Shape(Outputs, 3, Inputs), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        x.RequiresGrad = true;
        var tape = new Tape();
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            x.BeginGradient();
            var y = Conv1d.Forward(tape, x, weight.Value, null, 2, Padding.Reflect);
            device.Zero(y.GradForWrite(out _));
            tape.BackwardFromGradients();
        });
    }

    // Input and output are every other half of wider channels; the same step as often as there are passes, whose gradients add up to twice
    // the half of dy.
    private static (float[] Y, float[][] Gradients) Step(CpuDevice device, float[][] values, int dilation, Padding padding, int passes)
    {
        AssertPays(dilation, padding);
        device.Workspace.Reset();
        var x = device.Workspace.Rent(new Shape(Batch, Frames, 2 * Inputs)).Channels(Inputs, Inputs);
        x.CopyFrom(values[0]);
        x.RequiresGrad = true;
        var weight = Samples.Variable(device, new Shape(Outputs, 3, Inputs), values[1]);
        var bias = Samples.Variable(device, new Shape(Outputs), values[2]);
        int result = padding == Padding.Valid ? Frames - (2 * dilation) : Frames;
        float[] y = [];
        var tape = new Tape();
        for (int pass = 0; pass < passes; pass++)
        {
            var output = device.Workspace.Rent(new Shape(Batch, result, 2 * Outputs)).Channels(0, Outputs);
            Conv1d.Forward(tape, x, weight, bias, dilation, padding, output);
            output.GradForWrite(out _).CopyFrom([.. values[3].Take(output.Count).Select(v => v * 2 / passes)]);
            y = Samples.Read(output);
        }

        GradientCheck.Backward(tape);
        return (y, [Samples.Read(x.Grad!), Samples.Read(weight.Grad!), Samples.Read(bias.Grad!)]);
    }

    // Otherwise these tests would be of the direct product.
    private static void AssertPays(int dilation, Padding padding)
    {
        Assert.That(Pays(padding == Padding.Valid ? Frames - (2 * dilation) : Frames, Inputs, Outputs), "result and gradient by the taps");
        Assert.That(Pays(padding == Padding.Reflect ? Frames + (2 * dilation) : Frames, Outputs, Inputs), "gradient by the frames");

        bool Pays(int frames, int read, int written) => MinimalFilter.Pays(
            new MatrixView { Rows = Batch * frames, Inner = frames, Segments = 3, SegmentWidth = read, Step = dilation }, written);
    }

    private static double[] Reference(float[][] values, int dilation, Padding padding, int pad, int result)
    {
        var y = new double[Batch * result * Outputs];
        for (int row = 0; row < Batch * result; row++)
        {
            for (int o = 0; o < Outputs; o++)
            {
                y[(row * Outputs) + o] = values[2][o];
            }

            for (int tap = 0; tap < 3; tap++)
            {
                int at = (row % result) + (tap * dilation) - pad;
                if (at < 0 || at >= Frames)
                {
                    if (padding == Padding.Zero)
                    {
                        continue;
                    }

                    at = at < 0 ? -at : (2 * (Frames - 1)) - at;
                }

                var x = values[0].AsSpan(((row / result * Frames) + at) * Inputs, Inputs);
                for (int o = 0; o < Outputs; o++)
                {
                    var w = values[1].AsSpan(((o * 3) + tap) * Inputs, Inputs);
                    double sum = 0;
                    for (int i = 0; i < Inputs; i++)
                    {
                        sum += (double)x[i] * w[i];
                    }

                    y[(row * Outputs) + o] += sum;
                }
            }
        }

        return y;
    }
}
