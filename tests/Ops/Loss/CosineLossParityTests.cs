using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

/// <summary>The losses over cosines on CUDA against the CPU, and against themselves: ragged sizes, equal rows, large logits.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class CosineLossParityTests(TestDevice on)
{
    public enum Rows
    {
        Different,
        Duplicates,
        AllEqual,
    }

    // The widths cross the pieces of a cosine (128) and the part of the width that one block sums (512).
    [Test]
    public void Similarity_softmax_equals_the_CPU(
        [Values] bool symmetric,
        [Values(2, 37)] int rows,
        [Values(3, 133, 530)] int width,
        [Values(1f, 0.01f)] float temperature,
        [Values(0f, 0.4f)] float margin,
        [Values] Rows kind)
    {
        foreach (bool masked in new[] { false, true })
        {
            RequireSame(device => Similarity(device, symmetric, rows, width, temperature, margin, kind, masked));
        }
    }

    [Test]
    public void Margin_classifier_equals_the_CPU(
        [Values(2, 37)] int rows,
        [Values(3, 150)] int classes,
        [Values(3, 133, 530)] int width,
        [Values(1f, 100f)] float scale,
        [Values(0f, 0.4f)] float margin,
        [Values] Rows kind)
    {
        RequireSame(device => Classifier(device, rows, classes, width, scale, margin, kind));
    }

    private void RequireSame(Func<Device, float[][]> run)
    {
        using var cpu = TestDevice.Cpu.Open();
        using var cuda = on.Open();
        var (want, got) = (run(cpu), run(cuda));
        Assert.That(run(cuda), Is.EqualTo(got), "a second run gives the same bits");
        for (int i = 0; i < want.Length; i++)
        {
            // A logit of ±100 turns the rounding of a cosine into a relative error of 100 times that.
            double largest = want[i].Where(float.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
            Close.Assert(got[i], want[i], (2e-4 * largest) + 2e-5, $"output {i}");
        }
    }

    private static float[][] Similarity(Device device, bool symmetric, int rows, int width, float temperature, float margin, Rows kind, bool masked)
    {
        int keyRows = symmetric ? rows : rows + 5, memoryRows = rows + 14;
        var queries = Samples.Variable(device, new Shape(rows, width), Values(1, rows, width, kind));
        var keys = Samples.Variable(device, new Shape(keyRows, width), Values(2, keyRows, width, kind));
        var tape = new Tape();
        var options = new SimilaritySoftmaxOptions
        {
            Temperature = temperature,
            Margin = MarginKind.Additive,
            MarginValue = margin,
            Symmetric = symmetric,
            Memory = symmetric ? null : Samples.Constant(device, new Shape(memoryRows, width), Values(3, memoryRows, width, kind)),
            QueryLabels = masked ? Labels(device, rows) : null,
            KeyLabels = masked ? Labels(device, keyRows) : null,
            MemoryLabels = masked && !symmetric ? Labels(device, memoryRows) : null,
        };
        var loss = SimilaritySoftmax.Forward(tape, queries, keys, options, out var statistics);
        tape.Backward(loss);
        return Read(loss, statistics, queries, keys, kind);
    }

    private static float[][] Classifier(Device device, int rows, int classes, int width, float scale, float margin, Rows kind)
    {
        var x = Samples.Variable(device, new Shape(rows, width), Values(1, rows, width, kind));
        var weight = Samples.Variable(device, new Shape(classes, width), Values(2, classes, width, kind));
        var labels = device.Workspace.Rent(new Shape(rows), ElementType.Int32);
        labels.CopyIntsFrom([.. Enumerable.Range(0, rows).Select(i => i * 31 % classes)]);
        var tape = new Tape();

        // At a cosine of 1 the angular margin has an infinite slope: a rounding of 1e-7 moves a logit of scale 100 by 0.02.
        var margins = kind == Rows.AllEqual ? MarginKind.Additive : MarginKind.AdditiveAngular;
        var loss = MarginClassifier.Forward(tape, x, weight, labels, margins, scale, margin, out var statistics);
        tape.Backward(loss);
        return Read(loss, statistics, x, weight, kind);
    }

    // Where rows repeat, which of two equal cosines is the larger is a matter of rounding, and with it the hit rate.
    private static float[][] Read(Tensor loss, SimilarityStatistics statistics, Tensor a, Tensor b, Rows kind) =>
    [
        Samples.Read(loss),
        [statistics.MeanPositiveCosine, float.IsNaN(statistics.MeanNegativeCosine) ? 9 : statistics.MeanNegativeCosine],
        kind == Rows.Different ? [statistics.TopOneRate] : [0],
        Samples.Read(a.Grad!),
        Samples.Read(b.Grad!),
    ];

    private static float[] Values(int seed, int rows, int width, Rows kind)
    {
        float[] one = Samples.Normal(kind == Rows.AllEqual ? 1 : seed, rows * width);
        for (int row = 0; kind != Rows.Different && row < rows; row++)
        {
            int source = kind == Rows.AllEqual ? 0 : row / 2;
            one.AsSpan(source * width, width).CopyTo(one.AsSpan(row * width, width));
        }

        return one;
    }

    private static Tensor Labels(Device device, int count)
    {
        var labels = device.Workspace.Rent(new Shape(count), ElementType.Int32);
        labels.CopyIntsFrom([.. Enumerable.Range(0, count).Select(i => i % 5 == 4 ? -1 : i % 4)]);
        return labels;
    }
}
