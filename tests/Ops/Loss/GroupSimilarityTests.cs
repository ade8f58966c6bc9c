using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class GroupSimilarityTests(TestDevice on)
{
    [Test]
    public void Rows_meet_the_others_of_their_group()
    {
        using var device = on.Open();

        // Group 7: (1, 0), (0, 1), (2, 0); group -2: (5, 5) alone.
        var rows = Samples.Constant(device, new Shape(4, 2), [1, 0, 0, 1, 5, 5, 2, 0]);
        var similarity = GroupSimilarity.Forward(null, rows, 4, Groups(device, 7, 7, -2, 7));
        Close.Assert(Samples.Read(similarity), [((2 / 2.0) + 0 + 0 + (2 / 2.0)) / 4], 1e-6, "mean of the means");
    }

    [Test]
    public void Without_groups_rows_meet_the_other_views_of_their_item()
    {
        using var device = on.Open();
        var rows = Samples.Constant(device, new Shape(4, 2), [1, 2, 3, 4, 5, 6, 7, 8]);
        Close.Assert(Samples.Read(GroupSimilarity.Forward(null, rows, 2, null)), [(17 + 53) / 2.0], 1e-5, "two items of two views");
        Close.Assert(Samples.Read(GroupSimilarity.Forward(null, rows, 4, null)), [0], 0, "four items of one view");
    }

    [Test]
    public void Gradients_match_differences([Values(1, 2, 3)] int views, [Values(1, 4, 9)] int items, [Values(1, 16, 37, 130)] int width, [Values] bool grouped)
    {
        using var device = on.Open();
        int[]? groups = grouped ? [.. Enumerable.Range(0, items).Select(i => i * i % 3 * 1000003)] : null;
        GradientCheck.Run(
            device,
            [("rows", new Shape(views * items, width), Samples.Normal(1, views * items * width))],
            (tape, v) => GroupSimilarity.Forward(tape, v[0], items, groups is null ? null : Groups(device, groups)),
            v => [Reference(v[0], views, items, width, groups ?? [.. Enumerable.Range(0, items)])]);
    }

    [Test]
    public void Gradients_add_up()
    {
        using var device = on.Open();
        var tape = new Tape();
        var (once, twice) = (Samples.Variable(device, new Shape(6, 33), Samples.Normal(1, 198)), Samples.Variable(device, new Shape(6, 33), Samples.Normal(1, 198)));
        tape.Backward(GroupSimilarity.Forward(tape, once, 3, null));
        for (int i = 0; i < 2; i++)
        {
            tape.Clear();
            tape.Backward(GroupSimilarity.Forward(tape, twice, 3, null));
        }

        Close.Assert(Samples.Read(twice.Grad!), [.. Samples.Read(once.Grad!).Select(g => 2.0 * g)], 1e-6, "gradient");
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var rows = Samples.Constant(device, new Shape(6, 4), new float[24]);
        Assert.Multiple(() =>
        {
            Assert.That(() => GroupSimilarity.Forward(null, rows, 4, null), Throws.TypeOf<ShapeException>().With.Message.Contains("[6, 4], 4"));
            Assert.That(() => GroupSimilarity.Forward(null, rows, 0, null), Throws.TypeOf<ShapeException>());
            Assert.That(() => GroupSimilarity.Forward(null, rows, 3, Groups(device, 1, 2)), Throws.TypeOf<ShapeException>());
            Assert.That(() => GroupSimilarity.Forward(null, rows.Channels(0, 2), 3, null), Throws.TypeOf<ShapeException>().With.Message.Contains("contiguous"));
        });
    }

    [Test]
    public void Steps_allocate_nothing()
    {
        Assume.That(on.IsCuda, Is.False, "skipped, optional: the emulator is host code, which may allocate");
        using var device = on.Open();
        var tape = new Tape();
        float[] values = Samples.Normal(1, 8 * 50);
        int[] groups = [1, 2, 1, 3];
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            tape.Backward(GroupSimilarity.Forward(tape, Samples.Variable(device, new Shape(8, 50), values), 4, Groups(device, groups)));
        });
    }

    internal static Tensor Groups(Spk.Engine.Devices.Device device, params int[] groups)
    {
        var tensor = device.Workspace.Rent(new Shape(groups.Length), ElementType.Int32);
        tensor.CopyIntsFrom(groups);
        return tensor;
    }

    private static double Reference(double[] rows, int views, int items, int width, int[] groups)
    {
        double sum = 0;
        for (int i = 0; i < views * items; i++)
        {
            int[] others = [.. Enumerable.Range(0, views * items).Where(a => a != i && groups[a % items] == groups[i % items])];
            sum += others.Length == 0 ? 0 : others.Average(a => Enumerable.Range(0, width).Sum(k => rows[(i * width) + k] * rows[(a * width) + k]));
        }

        return sum / (views * items);
    }
}
