using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Optim;
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
    public void The_clip_bounds_the_norm_over_all_sets([Values] bool given)
    {
        using var device = new CpuDevice(1);
        var (optimizer, sets) = Make(device, new() { Kind = OptimizerKind.Sgd, Momentum = 0, ClipNorm = 1 });
        sets[0].Trainable[0].Value.Grad!.AsSpan()[0] = 3;
        sets[1].Trainable[0].Value.Grad!.AsSpan()[0] = 4;
        float first = sets[0].Values.AsSpan()[0], second = sets[1].Values.AsSpan()[0];
        Assert.That(optimizer.NormOfGradients(), Is.EqualTo(5));

        // One that is given is taken at its word: twice the norm clips to half of the length.
        optimizer.Step(0.5, given ? 10 : null);
        double share = given ? 0.5 : 1;
        Assert.That(sets[0].Values.AsSpan()[0], Is.EqualTo(first - (0.3 * share)).Within(1e-6));
        Assert.That(sets[1].Values.AsSpan()[0], Is.EqualTo(second - (0.4 * share)).Within(1e-6));
    }

    [Test]
    public void A_clip_of_each_parameter_bounds_their_norms([Values] bool known)
    {
        using var device = new CpuDevice(1);
        var (optimizer, sets) = Make(device, new() { Kind = OptimizerKind.Sgd, Momentum = 0, ClipNorm = 1, ClipScope = GradientClipScope.EachParameter });
        sets[0].Trainable[0].Value.Grad!.AsSpan()[0] = 3;
        sets[1].Trainable[0].Value.Grad!.AsSpan()[0] = 0.5f;
        float first = sets[0].Values.AsSpan()[0], second = sets[1].Values.AsSpan()[0];
        Assert.That(optimizer.NormOfGradients(), Is.EqualTo(Math.Sqrt(9.25)).Within(1e-12));
        optimizer.Step(0.5, known ? optimizer.NormOfGradients() : null);
        Assert.That(sets[0].Values.AsSpan()[0], Is.EqualTo(first - 0.5f).Within(1e-6));
        Assert.That(sets[1].Values.AsSpan()[0], Is.EqualTo(second - 0.25f).Within(1e-6));
    }

    [Test]
    public void An_average_follows_parameters_at_every_rate()
    {
        using var device = new CpuDevice(2);
        var set = Encoder(device);
        var optimizer = Optimizer.Create(new() { Kind = OptimizerKind.Sgd, Momentum = 0 }, set, p => p.Name == "bias" ? 0 : 1);
        var average = device.AllocatePersistent(set.Values.Shape);
        set.Gradients.CopyFrom([.. Enumerable.Repeat(1f, set.Gradients.Count)]);
        float[] before = Samples.Read(set.Values);
        int bias = set.OffsetOf(set.Trainable[1]);
        Assert.That(optimizer.NormOfGradients(), Is.EqualTo(Math.Sqrt(bias)).Within(1e-12), "what stays as it is counts as 0");
        optimizer.Step(0.25, average: new MovingAverage(average, 0.5));
        float[] after = Samples.Read(set.Values);
        Assert.That(after, Is.EqualTo(before.Select((v, i) => i < bias ? v - 0.25f : v)).Within(1e-6));
        Assert.That(Samples.Read(average), Is.EqualTo(after.Select(v => 0.5f * v)));
    }

    [Test]
    public void An_average_fits_one_set_alone()
    {
        using var device = new CpuDevice(1);
        var (optimizer, sets) = Make(device, new());
        var average = new MovingAverage(device.AllocatePersistent(sets[0].Values.Shape), 0.9);
        Assert.That(() => optimizer.Step(0, average: average), Throws.TypeOf<ShapeException>().With.Message.Contains("2 parameter sets"));
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
        var encoder = Encoder(device);
        var head = new ParameterSet(device);
        head.Add("head.weight", new Shape(33, 7), Initializer.XavierNormal(7, 33));
        head.Allocate(2);
        return (Optimizer.Create(spec, encoder, head), [encoder, head]);
    }

    private static ParameterSet Encoder(CpuDevice device)
    {
        var encoder = new ParameterSet(device);
        encoder.Add("weight", new Shape(7, 9), Initializer.XavierNormal(7, 9));
        encoder.Add("bias", new Shape(7), Initializer.UniformFanIn(9));
        encoder.Allocate(1);
        return encoder;
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
