using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Optim;

/// <summary>Adam, AdamW and SGD against torch.optim, step by step.</summary>
[Category("Golden")]
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class OptimizerGoldenTests(TestDevice on)
{
    [TestCaseSource(typeof(OptimizerGoldenTests), nameof(AdamCases))]
    public void Adam_and_AdamW_equal_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var settings = new AdamSettings
        {
            LearningRate = g.Number("lr"),
            Beta1 = g.Number("beta1"),
            Beta2 = g.Number("beta2"),
            Epsilon = g.Number("eps"),
            WeightDecay = g.Number("weight_decay"),
        };
        var shape = new Shape(g.Input("p0").Values.Length);
        var (mean, meanSquare) = (device.AllocatePersistent(shape), device.AllocatePersistent(shape));
        Run(g, device, (values, gradients, step) =>
        {
            if (g.Op == "adamw")
            {
                AdamW.Step(values, gradients, mean, meanSquare, step, settings);
            }
            else
            {
                Adam.Step(values, gradients, mean, meanSquare, step, settings);
            }
        });
    }

    [TestCaseSource(typeof(OptimizerGoldenTests), nameof(SgdCases))]
    public void Sgd_equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var settings = new SgdSettings
        {
            LearningRate = g.Number("lr"),
            Momentum = g.Number("momentum"),
            WeightDecay = g.Number("weight_decay"),
            Nesterov = g.Flag("nesterov"),
        };
        var buffer = device.AllocatePersistent(new Shape(g.Input("p0").Values.Length));
        Run(g, device, (values, gradients, _) => Sgd.Step(values, gradients, buffer, settings));
    }

    private static IEnumerable<TestCaseData> AdamCases() => Golden.Cases("adam", "adamw");

    private static IEnumerable<TestCaseData> SgdCases() => Golden.Cases("sgd");

    private static void Run(GoldenCase g, Device device, Action<Tensor, Tensor, long> step)
    {
        var start = g.Input("p0").ToSingle();
        var gradients = g.Input("grads");
        int count = start.Length;
        var values = Samples.Constant(device, new Shape(count), start);
        var got = new List<float>();
        for (int i = 0; i < gradients.Shape[0]; i++)
        {
            var gradient = Samples.Constant(device, new Shape(count), gradients.ToSingle().AsSpan(i * count, count));
            step(values, gradient, i + 1);
            got.AddRange(Samples.Read(values));
        }

        g.AssertOutput("params_after_each_step", got.ToArray());
    }
}
