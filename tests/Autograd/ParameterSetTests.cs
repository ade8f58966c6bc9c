using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Autograd;

public class ParameterSetTests
{
    [Test]
    public void Values_and_gradients_are_contiguous_and_padded_with_zeros()
    {
        using var device = new CpuDevice(1);
        var set = new ParameterSet(device);
        var a = set.Add("a", new Shape(3), Initializer.Constant(1));
        var b = set.Add("b", new Shape(2, 5), Initializer.UniformFanIn(4));
        set.AddBuffer("c", new Shape(4), 2);
        set.Allocate(5);
        Assert.That(set.TrainableCount, Is.EqualTo(13));
        Assert.That(set.Values.Count, Is.EqualTo(32));
        Assert.That((set.OffsetOf(a), set.OffsetOf(b)), Is.EqualTo((0, 16)));
        Assert.That(set.Values.AsSpan()[3..16].ToArray(), Is.All.Zero);
        Assert.That(b.Value.AsSpan().ToArray(), Is.All.InRange(-0.5f, 0.5f));
        a.Value.Grad!.AsSpan().Fill(7);
        Assert.That(set.Gradients.AsSpan()[..4].ToArray(), Is.EqualTo(new float[] { 7, 7, 7, 0 }));
        set.ZeroGradients();
        Assert.That(a.Value.Grad.AsSpan().ToArray(), Is.All.Zero);
    }

    [Test]
    public void Initial_values_depend_on_the_seed_only()
    {
        using var device = new CpuDevice(1);
        var first = Draw(device, 1);
        Assert.That(Draw(device, 1), Is.EqualTo(first));
        Assert.That(Draw(device, 1), Is.Not.EqualTo(Draw(device, 2)));
    }

    [Test]
    public void Convolution_kernels_travel_in_file_order()
    {
        using var device = new CpuDevice(1);
        var set = new ParameterSet(device);
        var kernel = set.Add("w", new Shape(1, 2, 3), Initializer.Constant(0), ParameterLayout.Conv1dKernel);
        set.Allocate(0);
        Assert.That(kernel.FileShape, Is.EqualTo(new Shape(1, 3, 2)));

        // File [Co, Ci, k]: channel 0 has taps 1, 2; channel 1 has 3, 4; channel 2 has 5, 6.
        kernel.ImportFrom([1, 2, 3, 4, 5, 6]);
        Assert.That(kernel.Value.AsSpan().ToArray(), Is.EqualTo(new float[] { 1, 3, 5, 2, 4, 6 }));
        var back = new float[6];
        kernel.ExportTo(back);
        Assert.That(back, Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6 }));
    }

    [Test]
    public void Kernels_of_maps_travel_in_file_order()
    {
        using var device = new CpuDevice(1);
        var set = new ParameterSet(device);
        var kernel = set.Add("w", new Shape(1, 2, 1, 3), Initializer.Constant(0), ParameterLayout.Conv2dKernel);
        var linear = set.Add("fc", new Shape(2, 2, 2), Initializer.Constant(0), ParameterLayout.FlattenedMap);
        set.Allocate(0);
        Assert.That(kernel.FileShape, Is.EqualTo(new Shape(1, 3, 2, 1)));
        Assert.That(linear.FileShape, Is.EqualTo(new Shape(2, 4)));

        // File [Co, Ci, kH, kW]: channel 0 has taps 1, 2; channel 1 has 3, 4; channel 2 has 5, 6.
        kernel.ImportFrom([1, 2, 3, 4, 5, 6]);
        Assert.That(kernel.Value.AsSpan().ToArray(), Is.EqualTo(new float[] { 1, 3, 5, 2, 4, 6 }));

        // File [out, C · H]: for output 0, channel 0 has rows 1, 2 and channel 1 has rows 3, 4.
        linear.ImportFrom([1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.That(linear.Value.AsSpan().ToArray(), Is.EqualTo(new float[] { 1, 3, 2, 4, 5, 7, 6, 8 }));
        var back = new float[8];
        linear.ExportTo(back);
        Assert.That(back, Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6, 7, 8 }));
    }

    [Test]
    public void Names_are_unique_and_the_set_is_closed_after_allocation()
    {
        using var device = new CpuDevice(1);
        var set = new ParameterSet(device);
        set.Add("a", new Shape(1), Initializer.Constant(0));
        Assert.That(() => set.AddBuffer("a", new Shape(1), 0), Throws.InvalidOperationException.With.Message.Contains("a"));
        set.Allocate(0);
        Assert.That(() => set.Add("b", new Shape(1), Initializer.Constant(0)), Throws.InvalidOperationException);
    }

    [Test]
    public void A_recorded_step_repeated_allocates_nothing()
    {
        using var device = new CpuDevice(2);
        var set = new ParameterSet(device);
        var kernel = set.Add("w", new Shape(40, 3, 20), Initializer.UniformFanIn(60), ParameterLayout.Conv1dKernel);
        var weight = set.Add("fc", new Shape(1, 40), Initializer.UniformFanIn(40));
        set.Allocate(1);
        var input = Samples.Normal(1, 2 * 50 * 20);
        var tape = new Tape();
        Allocations.AssertNone(() => Step(device, set, kernel, weight, input, tape));
    }

    private static void Step(Device device, ParameterSet set, Parameter kernel, Parameter weight, float[] input, Tape tape)
    {
        device.Workspace.Reset();
        tape.Clear();
        set.ZeroGradients();
        var x = device.Workspace.Rent(new Shape(2, 50, 20));
        x.CopyFrom(input);
        var y = Conv1d.Forward(tape, x, kernel.Value, null, 2, Padding.Reflect);
        var z = Linear.Forward(tape, y, weight.Value, null);
        var gradient = z.GradForWrite(out _);
        gradient.AsSpan().Fill(1);
        tape.BackwardFromGradients();
    }

    private static float[] Draw(Device device, ulong seed)
    {
        var set = new ParameterSet(device);
        set.Add("w", new Shape(50), Initializer.XavierNormal(3, 4));
        set.Allocate(seed);
        return set.Values.AsSpan().ToArray();
    }
}
