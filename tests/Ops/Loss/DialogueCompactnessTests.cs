using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class DialogueCompactnessTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(DialogueCompactnessTests), nameof(GoldenCases))]
    public void Compactness_and_weight_are_those_of_the_reference(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var compactness = DialogueCompactness.Forward(Dialogues.Rows(device, g.Input("e")), g.Input("e").Shape[1]);
        var options = new DialogueWeightOptions { Slope = (float)g.Number("slope"), Threshold = (float)g.Number("threshold"), Normalize = false };
        g.AssertOutput("compactness", Samples.Read(compactness));
        g.AssertOutput("weight", Samples.Read(DialogueCompactness.Weigh(compactness, null, options)));
    }

    [Test]
    public void Alike_opposed_and_mixed_dialogues_are_told_apart()
    {
        using var device = on.Open();

        // Dialogues: the same direction; opposites; two of three alike; a row of zeros.
        var rows = Samples.Constant(device, new Shape(3 * 4, 2), [1, 0, 0, 1, 1, 0, 0, 0, 2, 0, 0, -1, 1, 0, 1, 1, 3, 0, 0, 1, 0, 1, 2, 2]);
        Close.Assert(Samples.Read(DialogueCompactness.Forward(rows, 3)), (double[])[1, -1.0 / 3, 1.0 / 3, 1.0 / 3], 1e-6, "compactness");
    }

    [Test]
    public void Weights_follow_the_running_statistics([Values] bool normalize)
    {
        using var device = on.Open();
        float[] first = Samples.Normal(1, 300, 0.3f), second = Samples.Normal(2, 300, 0.3f);
        var state = Samples.Constant(device, new Shape(2), [0, 0]);
        var options = new DialogueWeightOptions { Slope = 2, Momentum = 0.75f, Normalize = normalize };
        DialogueCompactness.Weigh(Samples.Constant(device, new Shape(300), first), state, options);
        var (mean, deviation) = Moments(first);
        Close.Assert(Samples.Read(state), (double[])[mean, deviation], 1e-6, "the first batch sets the state");

        float[] weights = Samples.Read(DialogueCompactness.Weigh(Samples.Constant(device, new Shape(300), second), state, options));
        var next = Moments(second);
        (mean, deviation) = ((0.75 * mean) + (0.25 * next.Mean), (0.75 * deviation) + (0.25 * next.Deviation));
        Close.Assert(Samples.Read(state), (double[])[mean, deviation], 1e-6, "later ones move it");
        double[] want = [.. second.Select(k => 1 / (1 + Math.Exp(-2 * (k - mean) / (deviation + 1e-6))))];
        double average = normalize ? want.Average() : 1;
        Close.Assert(weights, [.. want.Select(w => w / average)], 1e-5, "weights");
    }

    [Test]
    public void Other_rules_weigh_as_they_say()
    {
        using var device = on.Open();
        float[] kappa = [0.5f, -0.25f, 0.75f, 0.5f, 0.1f];
        float[] Weights(DialogueWeightOptions options) => Samples.Read(DialogueCompactness.Weigh(Samples.Constant(device, new Shape(kappa.Length), kappa), null, options));

        var rectified = new DialogueWeightOptions { Rule = DialogueWeightRule.Rectified };
        Close.Assert(Weights(rectified with { Normalize = false }), (double[])[0.5, 0, 0.75, 0.5, 0.1], 1e-6, "rectified");
        Close.Assert(Weights(rectified), [.. ((double[])[0.5, 0, 0.75, 0.5, 0.1]).Select(w => w * 5 / 1.85)], 1e-6, "rectified, mean 1");
        double sum = kappa.Sum(k => Math.Exp(4.0 * k));
        Close.Assert(
            Weights(new DialogueWeightOptions { Rule = DialogueWeightRule.Softmax, Slope = 4, Normalize = false }), [.. kappa.Select(k => Math.Exp(4.0 * k) / sum)], 1e-6,
            "softmax");
        var top = new DialogueWeightOptions { Rule = DialogueWeightRule.Top, Normalize = false };
        Assert.That(Weights(top with { Kept = 0.4f }), Is.EqualTo(new float[] { 1, 0, 1, 0, 0 }), "of equals the first");
        Assert.That(Weights(top with { Kept = 0.01f }), Is.EqualTo(new float[] { 0, 0, 1, 0, 0 }), "one at least");
    }

    [Test]
    public void Extreme_slopes_and_dialogues_of_no_weight_stay_finite()
    {
        using var device = on.Open();
        var negative = Samples.Constant(device, new Shape(3), [-0.5f, -0.25f, -1]);
        Assert.That(Samples.Read(DialogueCompactness.Weigh(negative, null, new() { Rule = DialogueWeightRule.Rectified })), Is.EqualTo(new float[] { 1, 1, 1 }));
        Assert.That(Samples.Read(DialogueCompactness.Weigh(negative, null, new() { Rule = DialogueWeightRule.Softmax, Slope = 1e5f })), Is.EqualTo(new float[] { 0, 3, 0 }));
        Assert.That(Samples.Read(DialogueCompactness.Weigh(negative, null, new() { Slope = 1e5f })), Is.EqualTo(new float[] { 1, 1, 1 }), "no evidence for any");
    }

    [Test]
    public void A_slope_on_the_device_is_that_of_the_options([Values(DialogueWeightRule.Sigmoid, DialogueWeightRule.Softmax)] DialogueWeightRule rule)
    {
        using var device = on.Open();
        var compactness = Samples.Constant(device, new Shape(37), Samples.Normal(1, 37, 0.3f));
        var slope = Samples.Constant(device, new Shape(1), [3.5f]);
        float[] want = Samples.Read(DialogueCompactness.Weigh(compactness, null, new() { Rule = rule, Slope = 3.5f }));
        Assert.That(Samples.Read(DialogueCompactness.Weigh(compactness, null, new() { Rule = rule, Slope = 99 }, slope)), Is.EqualTo(want));
        Assert.That(() => DialogueCompactness.Weigh(compactness, null, new(), compactness), Throws.TypeOf<ShapeException>());
    }

    [Test]
    public void What_does_not_fit_is_named()
    {
        using var device = on.Open(1);
        var compactness = Samples.Constant(device, new Shape(3), [0, 1, 0.5f]);
        Assert.Multiple(() =>
        {
            Assert.That(() => DialogueCompactness.Forward(Samples.Constant(device, new Shape(3, 2), new float[6]), 2), Throws.TypeOf<ShapeException>());
            Assert.That(() => DialogueCompactness.Weigh(compactness, compactness, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => DialogueCompactness.Weigh(compactness, null, new() { Slope = float.NaN }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => DialogueCompactness.Weigh(compactness, null, new() { Momentum = 2 }), Throws.TypeOf<InvalidOptionException>());
        });
    }

    private static IEnumerable<TestCaseData> GoldenCases() => Golden.Cases("dialogue_compactness");

    private static (double Mean, double Deviation) Moments(float[] values)
    {
        double mean = values.Average(v => (double)v);
        return (mean, Math.Sqrt(values.Average(v => (v - mean) * (v - mean))));
    }
}

/// <summary>What only the CPU side promises.</summary>
public class DialogueCompactnessCpuTests
{
    [Test]
    public void A_step_allocates_nothing()
    {
        using var device = new CpuDevice(2);
        var rows = device.AllocatePersistent(new Shape(3 * 8, 32));
        var state = device.AllocatePersistent(new Shape(2));
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            DialogueCompactness.Weigh(DialogueCompactness.Forward(rows, 3), state, new DialogueWeightOptions());
        });
    }
}
