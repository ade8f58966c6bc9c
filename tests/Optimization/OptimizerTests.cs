using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Optimization;

namespace Spk.Tests.Optimization;

public class OptimizerTests
{
    private static readonly OptimizerSpec[] Specs =
    [
        new(),
        new() { Kind = OptimizerKind.AdamW, WeightDecay = 0.05, DecayVectors = false },
        new() { Kind = OptimizerKind.Sgd, Nesterov = true, WeightDecay = 1e-3, ClipNorm = 0.5 },
        new() { Kind = OptimizerKind.Sgd, Momentum = 0, ClipNorm = 0.5, ClipScope = GradientClipScope.EachParameter },
    ];

    [TestCaseSource(nameof(Specs))]
    public void Restored_state_continues_with_the_same_bits(OptimizerSpec spec)
    {
        using var device = new CpuDevice(2);
        var (straight, straightSets) = Make(device, spec);
        Run(straight, straightSets, 0, 7);

        var (first, firstSets) = Make(device, spec);
        Run(first, firstSets, 0, 3);
        var (second, secondSets) = Make(device, spec);
        for (int i = 0; i < firstSets.Length; i++)
        {
            secondSets[i].Values.CopyFrom(Samples.Read(firstSets[i].Values));
        }

        second.StepCount = first.StepCount;
        for (int i = 0; i < first.States.Count; i++)
        {
            Assert.That(second.States[i].Name, Is.EqualTo(first.States[i].Name));
            second.States[i].Value.CopyFrom(Samples.Read(first.States[i].Value));
        }

        Run(second, secondSets, 3, 7);
        Assert.That(second.StepCount, Is.EqualTo(7));
        for (int i = 0; i < straightSets.Length; i++)
        {
            Assert.That(Samples.Read(secondSets[i].Values), Is.EqualTo(Samples.Read(straightSets[i].Values)), $"set {i}");
        }
    }

    [Test]
    public void State_is_named_by_rule_and_set()
    {
        using var device = new CpuDevice(1);
        Assert.Multiple(() =>
        {
            Assert.That(Make(device, new()).Optimizer.States.Select(s => s.Name), Is.EqualTo(new[] { "adam.m", "adam.v", "adam.m.1", "adam.v.1" }));
            Assert.That(Make(device, new() { Kind = OptimizerKind.AdamW }).Optimizer.States[0].Name, Is.EqualTo("adamw.m"));
            Assert.That(Make(device, new() { Kind = OptimizerKind.Sgd }).Optimizer.States.Select(s => s.Name), Is.EqualTo(new[] { "sgd.momentum", "sgd.momentum.1" }));
            Assert.That(Make(device, new() { Kind = OptimizerKind.Sgd, Momentum = 0 }).Optimizer.States, Is.Empty);
        });
    }

    [Test]
    public void Vectors_do_not_decay_where_the_spec_says_so()
    {
        using var device = new CpuDevice(1);
        var (optimizer, sets) = Make(device, new() { Kind = OptimizerKind.AdamW, WeightDecay = 0.5, DecayVectors = false });
        sets[0].ZeroGradients();
        sets[1].ZeroGradients();
        float[] bias = Samples.Read(sets[0].Trainable[1].Value), weight = Samples.Read(sets[0].Trainable[0].Value);
        optimizer.Step(0.5);
        Assert.That(Samples.Read(sets[0].Trainable[1].Value), Is.EqualTo(bias));
        Close.Assert(Samples.Read(sets[0].Trainable[0].Value), weight.Select(w => 0.75 * w).ToArray(), 1e-6, "weight");
    }

    [Test]
    public void The_clip_bounds_the_norm_over_all_sets()
    {
        using var device = new CpuDevice(1);
        var (optimizer, sets) = Make(device, new() { Kind = OptimizerKind.Sgd, Momentum = 0, ClipNorm = 1 });
        sets[0].Trainable[0].Value.Grad!.AsSpan()[0] = 3;
        sets[1].Trainable[0].Value.Grad!.AsSpan()[0] = 4;
        Assert.That(optimizer.LastGradientNorm, Is.NaN);
        optimizer.Step(0);
        Assert.That(optimizer.LastGradientNorm, Is.EqualTo(5));
        Assert.That(sets[0].Gradients.AsSpan()[0], Is.EqualTo(0.6f).Within(1e-6));
        Assert.That(sets[1].Gradients.AsSpan()[0], Is.EqualTo(0.8f).Within(1e-6));
    }

    [TestCaseSource(nameof(Specs))]
    public void Steady_state_allocates_nothing(OptimizerSpec spec)
    {
        using var device = new CpuDevice(2);
        var (optimizer, _) = Make(device, spec);
        Allocations.AssertNone(() => optimizer.Step(1e-3));
    }

    [Test]
    public void Fields_out_of_range_are_named()
    {
        using var device = new CpuDevice(1);
        Assert.Multiple(() =>
        {
            Assert.That(() => Make(device, new() { Beta1 = 1 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("optimizer.beta1"));
            Assert.That(() => Make(device, new() { ClipNorm = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("optimizer.clipNorm"));
            Assert.That(() => Make(device, new() { WeightDecay = -1 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("optimizer.weightDecay"));
            Assert.That(
                () => Make(device, new() { Kind = OptimizerKind.Sgd, Momentum = 0, Nesterov = true }),
                Throws.TypeOf<InvalidOptionException>().With.Message.Contains("nesterov"));
            Assert.That(() => Make(device, new()).Optimizer.Step(-1), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("learning rate"));
        });
    }

    private static (Optimizer Optimizer, ParameterSet[] Sets) Make(CpuDevice device, OptimizerSpec spec)
    {
        var encoder = new ParameterSet(device);
        encoder.Add("weight", new Shape(7, 9), Initializer.XavierNormal(7, 9));
        encoder.Add("bias", new Shape(7), Initializer.UniformFanIn(9));
        encoder.Allocate(1);
        var head = new ParameterSet(device);
        head.Add("head.weight", new Shape(33, 7), Initializer.XavierNormal(7, 33));
        head.Allocate(2);
        return (Optimizer.Create(spec, encoder, head), [encoder, head]);
    }

    private static void Run(Optimizer optimizer, ParameterSet[] sets, int from, int to)
    {
        for (int step = from; step < to; step++)
        {
            for (int i = 0; i < sets.Length; i++)
            {
                sets[i].Gradients.CopyFrom(Samples.Normal((10 * step) + i, sets[i].Gradients.Count));
            }

            optimizer.Step(0.01 / (step + 1));
        }
    }
}
