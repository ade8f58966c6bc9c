using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>Whose gradient is summed by the product that makes it for the norm ahead, and who else writing to it makes these sums worthless.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class BatchNormWantedSumsTests(TestDevice on)
{
    private const string OwnPass = "batch_norm_gradient_partial";

    // Backward, what is recorded behind the map comes before it.
    [TestCase("nothing", false, 0)]
    [TestCase("sum", true, 1)]
    [TestCase("sum", false, 1)]
    [TestCase("view", true, 1)]
    [TestCase("view", false, 1)]
    [TestCase("rows", true, 1)]
    [TestCase("rows", false, 1)]
    [TestCase("map", true, 1)]
    [TestCase("map", false, 1)]
    [TestCase("in place", true, 1)]
    [TestCase("view in place", true, 1)]
    [TestCase("sum in place", true, 0)]
    [TestCase("into a view", true, 1)]
    public void A_gradient_that_others_add_to_is_summed_whole(string other, bool recordedFirst, int ownPasses)
    {
        float[][] runs = new float[2][];
        for (int fused = 0; fused < 2; fused++)
        {
            using var device = (CudaDevice)on.Open();
            var launched = new List<string>();
            device.Launching = kernel => launched.Add(kernel.Name);
            const int rows = 70, channels = 6;
            var tape = new Tape();
            var x = Samples.Variable(device, new Shape(rows, channels), Samples.Normal(1, rows * channels));
            var weight = Samples.Constant(device, new Shape(5, channels), Samples.Normal(2, 5 * channels));
            var (gamma, mean, variance) = (LayerCheck.Buffer(device, channels, 1.5f), LayerCheck.Buffer(device, channels, 0), LayerCheck.Buffer(device, channels, 1));
            var output = other == "into a view" ? Samples.Variable(device, new Shape(rows, channels + 3), new float[rows * (channels + 3)]).Channels(1, channels) : null;
            var y = BatchNorm.Forward(tape, x, gamma, null, mean, variance, training: true, output: output, before: ActivationKind.Relu);
            Assert.That(y.WantedSums, output is null ? Is.Not.Null : Is.Null);
            if (fused == 0)
            {
                y.WantedSums = null;
            }

            var ends = new List<Tensor>();
            void Other() => ends.Add(other switch
            {
                "sum" => Add.Forward(tape, Samples.Constant(device, y.Shape, new float[y.Count]), y),
                "view" => Activation.Forward(tape, y.Channels(1, 3), ActivationKind.Tanh),
                "rows" => Activation.Forward(tape, y.Slice(7, 20), ActivationKind.Tanh),
                "map" => Linear.Forward(tape, y, Samples.Constant(device, new Shape(3, channels), Samples.Normal(3, 3 * channels)), null),
                "view in place" => InPlace(y.Channels(1, 3)),
                "in place" => Activation.Forward(tape, y, ActivationKind.Relu, output: y),
                "sum in place" => Add.Forward(tape, y, Samples.Constant(device, y.Shape, Samples.Normal(3, y.Count)), output: y),
                _ => y,
            });
            Tensor InPlace(Tensor view)
            {
                Activation.Forward(tape, view, ActivationKind.Relu, output: view);
                return y;
            }

            if (recordedFirst)
            {
                Other();
            }

            ends.Add(Linear.Forward(tape, y, weight, null));
            if (!recordedFirst)
            {
                Other();
            }

            foreach (var end in ends.Where(end => end != y))
            {
                end.GradForWrite(out _).CopyFrom(Samples.Normal(4, end.Count));
            }

            GradientCheck.Backward(tape);
            runs[fused] = [.. Samples.Read(x.Grad!), .. Samples.Read(gamma.Value.Grad!)];
            Assert.That(launched.Count(name => name == OwnPass), Is.EqualTo(fused == 0 ? 1 : ownPasses));
        }

        Close.Assert(runs[1], runs[0], ownPasses == 1 ? 0 : 1e-5 * runs[0].Max(Math.Abs), "gradients");
    }

    // The tape's nodes are used again, here by a norm of another size, while the output of the first recording is still there.
    [Test]
    public void The_output_of_a_recording_that_was_given_up_is_not_summed_for()
    {
        using var device = (CudaDevice)on.Open();
        var tape = new Tape();
        var old = Norm(70, 6);
        tape.Clear();
        Norm(9, 2);
        var end = Linear.Forward(tape, old, Samples.Constant(device, new Shape(5, 6), Samples.Normal(2, 30)), null);
        end.GradForWrite(out _).CopyFrom(Samples.Normal(3, end.Count));
        GradientCheck.Backward(tape);
        Assert.That(old.Grad!.RunSums, Is.Null);

        Tensor Norm(int rows, int channels) => BatchNorm.Forward(
            tape, Samples.Variable(device, new Shape(rows, channels), Samples.Normal(1, rows * channels)), null, null, LayerCheck.Buffer(device, channels, 0),
            LayerCheck.Buffer(device, channels, 1), training: true);
    }

    [TestCase(64)]
    [TestCase(128)]
    public void More_runs_than_pay_are_left_to_the_norm(int rowsEach)
    {
        using var device = on.Open();
        var x = device.Workspace.Rent(new Shape((BatchNormEpilogue.MostRuns * rowsEach) + 1, 1));
        var wanted = new NormGradientSums();
        wanted.Set(x, x, x, 1f);
        Assert.That(wanted.Rent(rowsEach), Is.Null);
        wanted.Set(x.Slice(0, x.Shape.Rows - 1), x, x, 1f);
        Assert.That(wanted.Rent(rowsEach)?.Shape, Is.EqualTo(new Shape(BatchNormEpilogue.MostRuns, 2, 1)));
    }

    [Test]
    public void Nobody_asks_where_there_is_no_backward_step()
    {
        using var device = on.Open();
        var (mean, variance) = (LayerCheck.Buffer(device, 3, 0), LayerCheck.Buffer(device, 3, 1));
        var shape = new Shape(4, 3);
        var y = Norm(new Tape(), null);
        Assert.That(y.WantedSums, Is.Not.Null);
        Assert.That(Norm(null, y).WantedSums, Is.Null, "inference into the same output");
        Norm(new Tape(), y);
        y.BeginGradient();
        Assert.That(y.WantedSums, Is.Null, "a new step");
        Norm(new Tape(), y);
        device.Workspace.Reset();
        Assert.That(Enumerable.Range(0, 20).Select(_ => device.Workspace.Rent(shape)).Select(t => (Same: ReferenceEquals(t, y), t.WantedSums)).ToArray(),
            Has.Some.EqualTo((true, (NormGradientSums?)null)), "the same object for another tensor");

        Tensor Norm(Tape? tape, Tensor? output) =>
            BatchNorm.Forward(tape, Samples.Variable(device, shape, Samples.Normal(1, 12)), null, null, mean, variance, training: true, output: output);
    }
}
