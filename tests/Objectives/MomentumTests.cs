using NUnit.Framework;
using Spk.Engine.Encoders;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Objectives;
using Spk.Training.Optimization;

namespace Spk.Tests.Objectives;

/// <summary>What follows a step of MoCo and DINO, against the same in f64, step by step.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class MomentumTests(TestDevice on)
{
    private static readonly EncoderSpec Small = new() { Kind = "tdnn", Bins = 8, Width = 4, LastWidth = 6, EmbeddingSize = 5 };

    public static IEnumerable<TestCaseData> Queues() =>
        Golden.Cases("moco_infonce").Where(c => c.Arguments[0] is not GoldenCase golden || golden.HasOutput("queue_after"));

    [Category("Golden")]
    [TestCaseSource(nameof(Queues))]
    public void The_queue_after_a_step_is_the_reference_s(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var (key, queue) = (g.Input("key"), g.Input("queue"));
        int batch = key.Shape[0], width = key.Shape[1], size = queue.Shape[0];
        var ring = new KeyQueue(device, "queue", size, batch, width, new CounterRandom(1, RandomPurpose.Queue));
        ring.Keys.CopyFrom(queue.ToSingle());
        long stored = (long)g.Number("pointer");
        ring.Store(L2Normalize.Forward(null, Samples.Constant(device, new Shape(batch, width), key.ToSingle())), new int[batch], stored);
        g.AssertOutput("queue_after", Samples.Read(ring.Keys));
        Assert.That((stored + batch) % size, Is.EqualTo(g.Output("pointer_after").Values[0]), "where the next keys go");
    }

    [Test]
    public void A_queue_forgets_the_oldest_first()
    {
        using var device = on.Open();
        var ring = new KeyQueue(device, "queue", 5, 2, 1, new CounterRandom(1, RandomPurpose.Queue));
        for (int step = 0; step < 4; step++)
        {
            ring.Store(Samples.Constant(device, new Shape(2, 1), [(2 * step) + 1, (2 * step) + 2]), [10 + (2 * step), 11 + (2 * step)], 2 * step);
        }

        int[] labels = new int[5];
        ring.Labels.CopyIntsTo(labels);
        Assert.That(Samples.Read(ring.Keys), Is.EqualTo(new float[] { 6, 7, 8, 4, 5 }));
        Assert.That(labels, Is.EqualTo(new[] { 15, 16, 17, 13, 14 }));
        Assert.That(() => new KeyQueue(device, "queue", 3, 4, 1, default), Throws.TypeOf<InvalidOptionException>());
    }

    [TestCase(MomentumCurve.Constant)]
    [TestCase(MomentumCurve.Cosine)]
    public void A_momentum_encoder_averages_parameters_and_leaves_statistics_alone(MomentumCurve curve)
    {
        const int steps = 12;
        using var device = on.Open();
        var context = new ObjectiveContext { Device = device, Encoder = Small, Batch = 2, Epochs = steps };
        var trained = new Engine.Autograd.ParameterSet(device);
        Encoder.Create(Small, trained, "encoder.");
        var momentum = new MomentumEncoder(context, trained, new MomentumSpec { Start = 0.9, Curve = curve }, "momentum.encoder.");
        trained.Allocate(3);
        momentum.Allocate();
        var optimizer = Optimizer.Create(new OptimizerSpec { Kind = OptimizerKind.Sgd, Momentum = 0 }, trained);
        double[] want = Samples.ToDouble(Samples.Read(trained.Values));
        Assert.That(Samples.Read(momentum.Parameters.Values), Is.EqualTo(Samples.Read(trained.Values)), "it starts as a copy");
        for (int step = 0; step < steps; step++)
        {
            float[] now = Samples.Normal(step + 1, trained.Values.Count);
            trained.Values.CopyFrom(now);
            trained.Buffers[0].Value.CopyFrom(Samples.Normal(99, trained.Buffers[0].Shape.Count));
            optimizer.Step(0, average: momentum.Following(step));
            double m = curve == MomentumCurve.Constant ? 0.9 : 1 - (0.1 * (1 + Math.Cos(Math.PI * step / steps)) / 2);
            for (int i = 0; i < want.Length; i++)
            {
                want[i] = (m * want[i]) + ((1 - m) * now[i]);
            }
        }

        Close.Assert(Samples.Read(momentum.Parameters.Values), want, 1e-6, "average");
        Assert.That(Samples.Read(momentum.Parameters.Buffers[0].Value), Is.All.EqualTo(0f), "running means of its own");
    }

    [Test]
    public void The_centre_follows_the_mean_logits()
    {
        const int batch = 3, width = 4, prototypes = 9;
        using var device = on.Open();
        var centre = device.AllocatePersistent(new Shape(prototypes));
        float[] student = Samples.Normal(1, 2 * batch * width), v = Samples.Normal(2, prototypes * width);
        double[] want = new double[prototypes];
        for (int step = 0; step < 8; step++)
        {
            float[] teacher = Samples.Normal(10 + step, 2 * batch * width);
            PrototypeDistill.Forward(
                null, Samples.Constant(device, new Shape(2 * batch, width), student), Samples.Constant(device, new Shape(2 * batch, width), teacher),
                Samples.Constant(device, new Shape(prototypes, width), v), Samples.Constant(device, new Shape(prototypes, width), v), centre,
                new PrototypeDistillOptions(), out var statistics);
            PrototypeDistill.UpdateCentre(centre, statistics, 0.9);
            for (int k = 0; k < prototypes; k++)
            {
                double norm = Math.Sqrt(Enumerable.Range(0, width).Sum(d => (double)v[(k * width) + d] * v[(k * width) + d]));
                double mean = Enumerable.Range(0, 2 * batch).Average(row => Enumerable.Range(0, width).Sum(d => (double)teacher[(row * width) + d] * v[(k * width) + d]) / norm);
                want[k] = (0.9 * want[k]) + (0.1 * mean);
            }

            device.Workspace.Reset();
        }

        Close.Assert(Samples.Read(centre), want, 2e-6, "centre");
    }
}
