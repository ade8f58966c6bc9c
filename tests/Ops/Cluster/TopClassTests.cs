using NUnit.Framework;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Ops.Loss;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Cluster;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class TopClassTests(TestDevice on)
{
    [Test]
    public void It_is_the_highest_logit_with_its_softmax([Values(1, 7)] int rows, [Values(1, 15, 16, 33, 301)] int classes)
    {
        float[] logits = Samples.Normal(1, rows * classes, 3f);
        using var device = on.Open();
        var (labels, probabilities) = Run(Samples.Constant(device, new Shape(rows, classes), logits));
        for (int row = 0; row < rows; row++)
        {
            double[] p = DivergenceTests.Softmax(Samples.ToDouble(logits), row, classes);
            Assert.That(labels[row], Is.EqualTo(Array.IndexOf(p, p.Max())));
            Assert.That(probabilities[row], Is.EqualTo(p.Max()).Within(1e-6));
        }
    }

    [Test]
    public void Of_equals_the_lowest_wins_also_in_a_view()
    {
        using var device = on.Open();
        var wide = Samples.Constant(device, new Shape(2, 40), [.. Enumerable.Repeat(1f, 80)]);
        Assert.That(Run(wide.Channels(3, 20)).Labels, Is.EqualTo(new[] { 0, 0 }));
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var logits = Samples.Constant(device, new Shape(2, 3), new float[6]);
        var labels = device.Workspace.Rent(new Shape(3), ElementType.Int32);
        Assert.That(() => TopClass.Forward(logits, labels, device.Workspace.Rent(new Shape(2))), Throws.TypeOf<ShapeException>().With.Message.Contains("labels i32 [N]"));
    }

    private static (int[] Labels, float[] Probabilities) Run(Tensor logits)
    {
        var workspace = logits.Device.Workspace;
        var (labels, probabilities) = (workspace.Rent(new Shape(logits.Shape[0]), ElementType.Int32), workspace.Rent(new Shape(logits.Shape[0])));
        TopClass.Forward(logits, labels, probabilities);
        int[] read = new int[labels.Count];
        labels.CopyIntsTo(read);
        return (read, Samples.Read(probabilities));
    }
}
