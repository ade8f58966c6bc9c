using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class GruTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "gru" } })]
    public void Equals_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        Assert.That(g.Flag("batch_first"));
        using var device = on.Open();
        var (x, first) = (g.Input("x"), g.Input("h0"));
        var set = new ParameterSet(device);
        var gru = new GruLayers(set, "gru", x.Shape[2], g.Integer("hidden"), g.Integer("layers"));
        set.Allocate(1);
        foreach (var parameter in set.Trainable)
        {
            parameter.ImportFrom(g.Input(GoldenName(parameter)).ToSingle());
        }

        var tape = new Tape();
        var input = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[1], x.Shape[2]), x.ToSingle());
        var states = Samples.Variable(device, new Shape(first.Shape[0], first.Shape[1], first.Shape[2]), first.ToSingle());
        var y = gru.Forward(tape, input, states);
        g.AssertOutput("y", Samples.Read(y));
        y.GradForWrite(out _).CopyFrom(g.Input("grad_y").ToSingle());
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Samples.Read(input.Grad!));
        g.AssertOutput("grad_h0", Samples.Read(states.Grad!));
        foreach (var parameter in set.Trainable)
        {
            g.AssertOutput("grad_" + GoldenName(parameter), Samples.Read(parameter.Value.Grad!));
        }
    }

    // N T C H: one unit, one frame, around 16 units and 32, numbers of items that 4 does not divide.
    [TestCase("1 1 1 1")]
    [TestCase("2 3 5 4")]
    [TestCase("5 1 3 15")]
    [TestCase("4 5 3 16")]
    [TestCase("3 2 7 33")]
    public void Gradients_match_differences(string sizes)
    {
        var (n, t, c, h) = Sizes(sizes);
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(n, t, c), Samples.Normal(1, n * t * c)), ("first", new Shape(n, h), Samples.Normal(2, n * h))],
            Parameters(c, h),
            (tape, x, p) => Gru.Forward(tape, x[0], new GruParameters(p[0], p[1], p[2], p[3]), x[1]),
            v => GruReference.States(n, t, c, h, v[0], v[1], v[2], v[3], v[4], v[5]));
    }

    [Test]
    public void Without_a_first_state_it_starts_from_zeros()
    {
        const int n = 3, t = 4, c = 5, h = 6;
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(n, t, c), Samples.Normal(1, n * t * c))],
            Parameters(c, h),
            (tape, x, p) => Gru.Forward(tape, x[0], new GruParameters(p[0], p[1], p[2], p[3])),
            v => GruReference.States(n, t, c, h, v[0], new double[n * h], v[1], v[2], v[3], v[4]));
    }

    [Test]
    public void Channel_views_are_read_and_their_gradients_added()
    {
        const int n = 2, t = 3, c = 5, h = 4, left = 2, wide = 9;
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(n, t, wide), Samples.Normal(1, n * t * wide))],
            Parameters(c, h),
            (tape, x, p) => Gru.Forward(tape, x[0].Channels(left, c), new GruParameters(p[0], p[1], p[2], p[3])),
            v => GruReference.States(
                n, t, c, h, [.. v[0].Where((_, i) => i % wide is >= left and < left + c)], new double[n * h], v[1], v[2], v[3], v[4]));
    }

    // A gate that is shut keeps the state for ever, whatever the input; one that is open forgets it at once.
    [TestCase(60f)]
    [TestCase(-60f)]
    public void Extreme_update_gates_keep_or_forget(float gate)
    {
        const int n = 2, t = 9, c = 3, h = 5;
        using var device = on.Open();
        var values = Parameters(c, h);
        values[2].Values.AsSpan(h, h).Fill(gate);
        var p = LayerCheck.Parameters(device, values);
        float[] first = Samples.Normal(7, n * h, 0.3f);
        var x = Samples.Constant(device, new Shape(n, t, c), Samples.Normal(1, n * t * c));
        float[] y = Samples.Read(Gru.Forward(null, x, new GruParameters(p[0], p[1], p[2], p[3]), Samples.Constant(device, new Shape(n, h), first)));
        float[] last = [.. Enumerable.Range(0, n * h).Select(i => y[(((i / h * t) + t - 1) * h) + (i % h)])];
        if (gate > 0)
        {
            Close.Assert(last, first, 1e-6, "kept");
        }
        else
        {
            Assert.That(last, Is.Not.EqualTo(first).Within(1e-3));
        }
    }

    [Test]
    public void Parameters_have_the_names_and_the_spread_of_PyTorch()
    {
        using var device = on.Open(1);
        var set = new ParameterSet(device);
        _ = new GruLayers(set, "turns", 5, 16, 2);
        set.Allocate(3);
        Assert.That(set.Trainable.Select(p => $"{p.Name} {p.FileShape}"), Is.EqualTo(new[]
        {
            "turns.weight_ih_l0 [48, 5]", "turns.weight_hh_l0 [48, 16]", "turns.bias_ih_l0 [48]", "turns.bias_hh_l0 [48]",
            "turns.weight_ih_l1 [48, 16]", "turns.weight_hh_l1 [48, 16]", "turns.bias_ih_l1 [48]", "turns.bias_hh_l1 [48]",
        }));
        Assert.That(set.Trainable.Select(p => Samples.Read(p.Value).Max(Math.Abs)), Is.All.InRange(0.2f, 0.25f));
    }

    [Test]
    public void Thread_count_does_not_change_bits()
    {
        on.OneOrderIsEnough();
        Assert.That(Run(2), Is.EqualTo(Run(1)));

        float[] Run(int threads)
        {
            using var device = on.Open(threads);
            const int n = 5, t = 6, c = 9, h = 37;
            var p = LayerCheck.Parameters(device, Parameters(c, h));
            var x = Samples.Variable(device, new Shape(n, t, c), Samples.Normal(1, n * t * c));
            var tape = new Tape();
            var y = Gru.Forward(tape, x, new GruParameters(p[0], p[1], p[2], p[3]));
            float[] output = Samples.Read(y);
            y.GradForWrite(out _).CopyFrom(Samples.Normal(3, y.Count));
            tape.BackwardFromGradients();
            return [.. output, .. Samples.Read(x.Grad!), .. p.SelectMany(parameter => Samples.Read(parameter.Value.Grad!))];
        }
    }

    [Test]
    public void Steady_state_allocates_nothing()
    {
        on.OneOrderIsEnough();
        using var device = on.Open();
        var set = new ParameterSet(device);
        var x = set.Add("x", new Shape(3, 4, 5), Initializer.XavierNormal(1, 1));
        var gru = new GruLayers(set, "gru", 5, 7, 2);
        set.Allocate(1);
        var tape = new Tape();
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            set.ZeroGradients();
            var y = gru.Forward(tape, x.Value);
            device.Zero(y.GradForWrite(out _));
            tape.BackwardFromGradients();
        });
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var p = LayerCheck.Parameters(device, Parameters(3, 2));
        var parameters = new GruParameters(p[0], p[1], p[2], p[3]);
        var x = Samples.Constant(device, new Shape(2, 4, 3), new float[24]);
        Assert.Multiple(() =>
        {
            Assert.That(() => Gru.Forward(null, device.Workspace.Rent(new Shape(2, 4, 5)), parameters), Throws.TypeOf<ShapeException>().With.Message.Contains("over 5 channels"));
            Assert.That(() => Gru.Forward(null, device.Workspace.Rent(new Shape(2, 0, 3)), parameters), Throws.TypeOf<ShapeException>().With.Message.Contains("at least one frame"));
            Assert.That(() => Gru.Forward(null, x, parameters, device.Workspace.Rent(new Shape(2, 3))), Throws.TypeOf<ShapeException>().With.Message.Contains("first state [2, 2]"));
            Assert.That(() => new GruLayers(new ParameterSet(device), "gru", 3, 0), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("0 units"));
        });
    }

    private static string GoldenName(Parameter parameter) =>
        parameter.Name["gru.".Length..].Replace("weight", "w", StringComparison.Ordinal).Replace("bias", "b", StringComparison.Ordinal);

    private static (int N, int T, int C, int H) Sizes(string sizes)
    {
        int[] s = [.. sizes.Split(' ').Select(int.Parse)];
        return (s[0], s[1], s[2], s[3]);
    }

    private static (string Name, Shape Shape, float[] Values)[] Parameters(int c, int h) =>
    [
        ("input weight", new Shape(3 * h, c), Samples.Normal(3, 3 * h * c, 0.5f)),
        ("hidden weight", new Shape(3 * h, h), Samples.Normal(4, 3 * h * h, 1f / MathF.Sqrt(h))),
        ("input bias", new Shape(3 * h), Samples.Normal(5, 3 * h, 0.5f)),
        ("hidden bias", new Shape(3 * h), Samples.Normal(6, 3 * h, 0.5f)),
    ];
}
