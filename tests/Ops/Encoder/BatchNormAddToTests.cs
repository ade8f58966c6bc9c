using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>A norm whose result is added to another tensor in the same pass, as to the next group of a Res2 layer.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class BatchNormAddToTests(TestDevice on)
{
    // What the gradient reaches: the result, the sum, or both.
    public enum Used
    {
        Result,
        Sum,
        Both,
    }

    // Around the 16 lanes, pairs of rows and one more, several chunks of rows.
    [Test]
    public void Gradients_match_differences([Values("5 3", "33 17", "70 32")] string size, [Values] Used used)
    {
        int[] s = [.. size.Split(' ').Select(int.Parse)];
        var (rows, channels) = (s[0], s[1]);
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(rows, channels), Samples.Normal(1, rows * channels)), ("other", new Shape(rows, channels), Samples.Normal(4, rows * channels))],
            [("gamma", new Shape(channels), Samples.Normal(2, channels)), ("beta", new Shape(channels), Samples.Normal(3, channels))],
            (tape, v, p) =>
            {
                var sum = Add.Copy(tape, v[1], device.Workspace.Rent(v[1].Shape));
                var y = BatchNorm.Forward(
                    tape, v[0], p[0], p[1], LayerCheck.Buffer(device, channels, 0), LayerCheck.Buffer(device, channels, 1), training: true,
                    before: ActivationKind.LeakyRelu, addTo: sum);
                return used switch
                {
                    Used.Result => Add.Forward(tape, y, Activation.Forward(tape, v[1], ActivationKind.Tanh)),
                    Used.Sum => Activation.Forward(tape, sum, ActivationKind.Tanh),
                    _ => Add.Forward(tape, y, Activation.Forward(tape, sum, ActivationKind.Tanh)),
                };
            },
            v =>
            {
                double[] y = EncoderReference.BatchNorm(new Frames(1, rows, channels, v[0]), v[2], v[3], EncoderReference.LeakyRelu).V;
                double[] bent = [.. y.Zip(v[1], (a, b) => Math.Tanh(a + b))];
                return used switch
                {
                    Used.Result => [.. y.Zip(v[1], (a, b) => a + Math.Tanh(b))],
                    Used.Sum => bent,
                    _ => [.. y.Zip(bent, (a, b) => a + b)],
                };
            });
    }

    // The passes read and write views that lie apart by different strides; both orders of the sums are those of two ops.
    [TestCase(70, 17, true)]
    [TestCase(333, 32, true)]
    [TestCase(70, 17, false)]
    [Category("Sanitized")]
    public void It_is_the_norm_and_then_the_sum(int rows, int channels, bool training)
    {
        using var device = on.Open();
        var want = Run(device, rows, channels, training, inOne: false);
        var got = Run(device, rows, channels, training, inOne: true);
        foreach (string what in want.Keys)
        {
            Assert.That(got[what], Is.EqualTo(want[what]), what);
        }
    }

    [Test]
    public void A_map_that_normalises_in_inference_is_added_too()
    {
        using var device = on.Open();
        const int rows = 9, channels = 6;
        float[] before = Samples.Normal(5, rows * channels);
        var x = Samples.Constant(device, new Shape(rows, 4), Samples.Normal(1, rows * 4));
        var w = Samples.Constant(device, new Shape(channels, 4), Samples.Normal(2, channels * 4));
        var b = Samples.Constant(device, new Shape(channels), Samples.Normal(3, channels));
        var (mean, variance) = (LayerCheck.Buffer(device, channels, 0.2f), LayerCheck.Buffer(device, channels, 1.5f));
        var epilogue = new BatchNormEpilogue();
        BatchNorm.Prepare(epilogue, null, null, null, mean, variance, training: false, before: ActivationKind.Relu);
        var sum = Samples.Constant(device, new Shape(rows, channels), before);
        var product = Linear.Forward(null, x, w, b, norm: epilogue);
        var y = BatchNorm.Forward(
            null, product, null, null, mean, variance, training: false, before: ActivationKind.Relu, epilogue: epilogue, addTo: sum);
        float[] want = [.. Samples.Read(y).Zip(before, (a, other) => a + other)];
        Assert.That(Samples.Read(sum), Is.EqualTo(want));
    }

    [Test]
    public void A_Res2_layer_adds_without_a_pass_of_its_own()
    {
        using var device = on.Open();
        Assume.That(device, Is.InstanceOf<CudaDevice>(), "skipped, optional: launches are those of GPUs");
        var parameters = new ParameterSet(device);
        var layer = new Res2Layer(parameters, "res2", 12, 4, 3, 2, Padding.Zero, EncoderVariant.Sslsv);
        parameters.Allocate(1);
        var launched = new List<string>();
        ((CudaDevice)device).Launching = kernel => launched.Add(kernel.Name);
        var tape = new Tape();
        var x = Add.Copy(tape, Samples.Variable(device, new Shape(3, 29, 12), Samples.Normal(1, 3 * 29 * 12)), device.Workspace.Rent(new Shape(3, 29, 12)));
        var y = layer.Forward(tape, x, training: true);
        y.GradForWrite(out _).CopyFrom(Samples.Normal(2, y.Count));
        launched.Clear();
        GradientCheck.Backward(tape);
        Assert.That(launched.Count(name => name.StartsWith("batch_norm", StringComparison.Ordinal)), Is.EqualTo(9), "three a norm");
        Assert.That(launched.Count(name => name == "add_rows"), Is.EqualTo(2), "the untouched group's gradient, and the copy to that of what x was copied from");
    }

    [Test]
    public void A_misfit_is_refused()
    {
        using var device = on.Open(1);
        var x = device.Workspace.Rent(new Shape(6, 5));
        var sum = device.Workspace.Rent(new Shape(5, 6));
        var (mean, variance) = (LayerCheck.Buffer(device, 5, 0), LayerCheck.Buffer(device, 5, 1));
        Assert.That(() => BatchNorm.Forward(null, x, null, null, mean, variance, true, addTo: sum), Throws.TypeOf<ShapeException>().With.Message.Contains("added to"));
    }

    private static Dictionary<string, float[]> Run(Device device, int rows, int channels, bool training, bool inOne)
    {
        var tape = new Tape();
        var p = LayerCheck.Parameters(device, ("g", new Shape(channels), Samples.Normal(3, channels)), ("b", new Shape(channels), Samples.Normal(4, channels)));
        var x = Samples.Variable(device, new Shape(rows, channels), Samples.Normal(1, rows * channels));
        var input = Samples.Variable(device, new Shape(rows, channels + 5), Samples.Normal(2, rows * (channels + 5)));
        var others = Add.Copy(tape, input, device.Workspace.Rent(input.Shape));
        var all = device.Workspace.Rent(new Shape(rows, channels + 9));
        all.RequiresGrad = true;
        Add.Copy(tape, Samples.Constant(device, all.Shape, Samples.Normal(8, all.Count)), all);
        var (sum, y) = (others.Channels(3, channels), all.Channels(7, channels));
        BatchNorm.Forward(
            tape, x, p[0], p[1], LayerCheck.Buffer(device, channels, 0.1f), LayerCheck.Buffer(device, channels, 2), training, output: y, before: ActivationKind.Relu,
            addTo: inOne ? sum : null);
        if (!inOne)
        {
            Add.Forward(tape, sum, y, output: sum);
        }

        all.GradForWrite(out _).CopyFrom(Samples.Normal(6, all.Count));
        others.GradForWrite(out _).CopyFrom(Samples.Normal(7, others.Count));
        var result = new Dictionary<string, float[]> { ["results"] = Samples.Read(all), ["sums"] = Samples.Read(others) };
        GradientCheck.Backward(tape);
        result["gradient of x"] = Samples.Read(x.Grad!);
        result["gradient of the others"] = Samples.Read(input.Grad!);
        result["gradient of gamma"] = Samples.Read(p[0].Value.Grad!);
        result["gradient of beta"] = Samples.Read(p[1].Value.Grad!);
        return result;
    }
}
