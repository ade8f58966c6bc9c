using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Encoders;

public class ProjectorTests
{
    [Test]
    public void Has_the_published_number_of_parameters_and_the_names_of_a_sequence()
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        _ = new Projector(new ProjectorSpec(), parameters);
        Assert.That(parameters.TrainableCount, Is.EqualTo(6_304_256));
        Assert.That(
            parameters.Trainable.Select(p => p.Name),
            Is.EqualTo((string[])
            [
                "projector.0.weight", "projector.0.bias", "projector.1.weight", "projector.1.bias", "projector.3.weight", "projector.3.bias",
                "projector.4.weight", "projector.4.bias", "projector.6.weight", "projector.6.bias",
            ]));
    }

    [Test]
    public void Values_and_gradients_match_f64([Values(1, 2, 3)] int layers)
    {
        const int rows = 5;
        var spec = new ProjectorSpec { Inputs = 4, Hidden = 6, Outputs = 3, Layers = layers };
        using var device = new CpuDevice(2);
        var parameters = new ParameterSet(device);
        var projector = new Projector(spec, parameters, "");
        parameters.Allocate(5);
        foreach (var p in parameters.Trainable)
        {
            float[] values = Samples.Read(p.Value), noise = Samples.Normal(p.Name[0], p.Shape.Count, 0.2f);
            p.Value.CopyFrom([.. values.Zip(noise, (a, b) => a + b)]);
        }

        var x = Samples.Variable(device, new Shape(rows, 4), Samples.Normal(1, rows * 4));
        var tape = new Tape();
        var y = projector.Forward(tape, x, training: true);
        Assert.That(y.Shape, Is.EqualTo(new Shape(rows, 3)));
        float[] dy = Samples.Normal(9, y.Count);
        y.GradForWrite(out _).CopyFrom(dy);
        parameters.ZeroGradients();
        GradientCheck.Backward(tape);
        double[][] at = [Samples.ToDouble(Samples.Read(x)), .. parameters.Trainable.Select(p => Samples.ToDouble(Samples.Read(p.Value)))];
        double[] want = Reference(at);
        Close.Assert(Samples.Read(y), want, 2e-5 * want.Max(Math.Abs), "projection");
        for (int k = 0; k < at.Length; k++)
        {
            float[] got = Samples.Read(k == 0 ? x.Grad! : parameters.Trainable[k - 1].Value.Grad!);
            double[] numeric = GradientCheck.Differences(at, k, v => Reference(v).Zip(dy, (a, b) => a * b).Sum());
            Close.Assert(got, numeric, 5e-4 * Math.Max(numeric.Max(Math.Abs), 0.05), $"gradient {k}");
        }

        double[] Reference(double[][] v)
        {
            var frames = new Frames(rows, 1, 4, v[0]);
            for (int i = 0; i < layers; i++)
            {
                frames = EncoderReference.Linear(frames, v[1 + (4 * i)], v[2 + (4 * i)]);
                frames = i == layers - 1
                    ? frames
                    : EncoderReference.Map(EncoderReference.BatchNorm(frames, v[3 + (4 * i)], v[4 + (4 * i)]), EncoderReference.Relu);
            }

            return frames.V;
        }
    }

    [Test]
    public void A_training_step_allocates_nothing()
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        var projector = new Projector(new ProjectorSpec { Inputs = 8, Hidden = 16, Outputs = 8 }, parameters);
        parameters.Allocate(1);
        float[] values = Samples.Normal(1, 6 * 8);
        var tape = new Tape();
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters.ZeroGradients();
            var y = projector.Forward(tape, Samples.Variable(device, new Shape(6, 8), values), training: true);
            y.GradForWrite(out _).CopyFrom(values);
            tape.BackwardFromGradients();
        });
    }

    [Test]
    public void Bad_shapes_are_named()
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        Assert.That(
            () => new Projector(new ProjectorSpec { Layers = 0 }, parameters), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("projector.layers = 0"));
        var projector = new Projector(new ProjectorSpec { Inputs = 8 }, parameters);
        Assert.That(
            () => projector.Forward(null, device.Workspace.Rent(new Shape(2, 9)), false), Throws.TypeOf<ShapeException>().With.Message.Contains("[N, 8]"));
    }
}
