using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Encoders;

/// <summary>Layers and a whole small network against PyTorch.</summary>
public class LayerTests
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "tdnn_block" } })]
    public void Frame_block_matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = new CpuDevice(2);
        var (x, w) = (g.Input("x"), g.Input("w"));
        var parameters = new ParameterSet(device);
        Assert.That(g.Number("negative_slope"), Is.EqualTo(0.01));
        var block = new FrameBlock(
            parameters, "block", w.Shape[1], w.Shape[0], g.Integer("kernel"), g.Integer("dilation"), Padding.Valid, ActivationKind.LeakyRelu);
        parameters.Allocate(1);
        Import(g, block, "");
        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[2], x.Shape[1]), Layout.Swap(x));
        var y = block.Forward(tape, tx, g.Flag("training"));
        g.AssertOutput("y", Layout.Swap(Samples.Read(y), y.Shape));
        y.GradForWrite(out _).CopyFrom(Layout.Swap(g.Input("grad_y")));
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Layout.Swap(Samples.Read(tx.Grad!), tx.Shape));
        AssertGradients(g, block, "");
    }

    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "res2" } })]
    public void Res2_layer_matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = new CpuDevice(2);
        var x = g.Input("x");
        var parameters = new ParameterSet(device);
        var layer = new Res2Layer(
            parameters,
            "res2",
            x.Shape[1],
            g.Integer("scale"),
            g.Integer("kernel"),
            g.Integer("dilation"),
            g.Text("padding") == "zero" ? Padding.Zero : Padding.Reflect,
            EncoderVariant.Sslsv);
        parameters.Allocate(1);
        for (int i = 0; i < layer.Groups.Count; i++)
        {
            Import(g, layer.Groups[i], $"{i}");
        }

        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[2], x.Shape[1]), Layout.Swap(x));
        // The layer overwrites its input, so it gets a copy.
        var y = layer.Forward(tape, Add.Copy(tape, tx, device.Workspace.Rent(tx.Shape)), g.Flag("training"));
        g.AssertOutput("y", Layout.Swap(Samples.Read(y), y.Shape));
        y.GradForWrite(out _).CopyFrom(Layout.Swap(g.Input("grad_y")));
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Layout.Swap(Samples.Read(tx.Grad!), tx.Shape));
        for (int i = 0; i < layer.Groups.Count; i++)
        {
            AssertGradients(g, layer.Groups[i], $"{i}");
        }
    }

    /// <summary>
    /// A whole x-vector under symmetric NT-Xent: both views in one batch. The loss is computed here in f64, and its gradient by
    /// central differences, so that this test stands on the encoder alone.
    /// </summary>
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "xvector_ntxent" } })]
    public void X_vector_under_contrast_matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = new CpuDevice(2);
        var (x1, x2) = (g.Input("x1"), g.Input("x2"));
        int pairs = x1.Shape[0], bins = x1.Shape[1], frames = x1.Shape[2];
        Assert.That(g.Integers("kernels"), Is.EqualTo((int[])[5, 3, 3, 1, 1]));
        Assert.That(g.Integers("dilations"), Is.EqualTo((int[])[1, 2, 3, 1, 1]));
        var parameters = new ParameterSet(device);
        var spec = new EncoderSpec
        {
            Bins = bins,
            Width = g.Integer("width"),
            LastWidth = g.Integer("width"),
            EmbeddingSize = g.Integer("embedding"),
            Segment = false,
        };
        var encoder = Engine.Encoders.Encoder.Create(spec, parameters, "");
        parameters.Allocate(1);
        foreach (var p in parameters.Trainable)
        {
            p.ImportFrom(g.Input(GoldenName(p.Name)).ToSingle());
        }

        var tape = new Tape();
        var x = Samples.Variable(device, new Shape(2 * pairs, frames, bins), [.. Layout.Swap(x1), .. Layout.Swap(x2)]);
        var z = encoder.Forward(tape, x, training: true);
        float[] embedding = Samples.Read(z);
        g.AssertOutput("embedding", embedding);

        double margin = g.Number("margin"), temperature = g.Number("temperature");
        double[] at = Samples.ToDouble(embedding);
        double Loss(double[] v) => NtXent(v, pairs, spec.EmbeddingSize, margin, temperature);
        g.AssertOutput("loss", [Loss(at)], "f32");
        double[] dz = GradientCheck.Differences([at], 0, v => Loss(v[0]));
        z.GradForWrite(out _).CopyFrom([.. dz.Select(v => (float)v)]);
        GradientCheck.Backward(tape);
        float[] dx = Layout.Swap(Samples.Read(x.Grad!), x.Shape);
        g.AssertOutput("grad_x1", dx.AsSpan(0, dx.Length / 2));
        g.AssertOutput("grad_x2", dx.AsSpan(dx.Length / 2));
        foreach (var p in parameters.Trainable)
        {
            float[] gradient = new float[p.Shape.Count];
            p.Export(p.Value.Grad!, gradient);
            g.AssertOutput("grad_" + GoldenName(p.Name), gradient);
        }
    }

    [Test]
    public void An_untouched_last_group_is_the_wespeaker_way()
    {
        using var device = new CpuDevice(2);
        var parameters = new ParameterSet(device);
        var layer = new Res2Layer(parameters, "res2", 12, 4, 3, 2, Padding.Zero, EncoderVariant.Wespeaker);
        parameters.Allocate(1);
        float[] values = Samples.Normal(1, 2 * 7 * 12);
        float[] y = Samples.Read(layer.Forward(null, Samples.Constant(device, new Shape(2, 7, 12), values), training: true));
        for (int i = 0; i < values.Length; i++)
        {
            Assert.That(y[i] == values[i], Is.EqualTo(i % 12 >= 9));
        }
    }

    // frames.2.conv.weight is w2 in the reference, embedding.bias fc_b.
    private static string GoldenName(string name)
    {
        string[] parts = name.Split('.');
        bool weight = parts[^1] == "weight";
        return parts[0] == "embedding"
            ? (weight ? "fc_w" : "fc_b")
            : (parts[2] == "conv" ? (weight ? "w" : "b") : (weight ? "gamma" : "beta")) + parts[1];
    }

    private static IEnumerable<(string Name, Parameter Parameter)> Named(FrameBlock block, string suffix) =>
    [
        ("w" + suffix, block.Convolution.Weight),
        ("b" + suffix, block.Convolution.Bias),
        ("gamma" + suffix, block.Norm.Gamma!),
        ("beta" + suffix, block.Norm.Beta!),
    ];

    private static void Import(GoldenCase g, FrameBlock block, string suffix)
    {
        foreach (var (name, parameter) in Named(block, suffix))
        {
            parameter.ImportFrom(g.Input(name).ToSingle());
        }
    }

    private static void AssertGradients(GoldenCase g, FrameBlock block, string suffix)
    {
        foreach (var (name, parameter) in Named(block, suffix))
        {
            var gradient = new float[parameter.Shape.Count];
            parameter.Export(parameter.Value.Grad!, gradient);
            g.AssertOutput("grad_" + name, gradient);
        }
    }

    private static double NtXent(double[] z, int pairs, int width, double margin, double temperature)
    {
        int rows = 2 * pairs;
        var unit = new double[rows][];
        for (int i = 0; i < rows; i++)
        {
            double[] row = z[(i * width)..((i + 1) * width)];
            double length = Math.Sqrt(row.Sum(v => v * v));
            unit[i] = [.. row.Select(v => v / length)];
        }

        double loss = 0;
        for (int i = 0; i < rows; i++)
        {
            int positive = (i + pairs) % rows;
            double Logit(int j) => (unit[i].Zip(unit[j], (a, b) => a * b).Sum() - (j == positive ? margin : 0)) / temperature;
            double sum = Enumerable.Range(0, rows).Where(j => j != i).Sum(j => Math.Exp(Logit(j)));
            loss += (Math.Log(sum) - Logit(positive)) / rows;
        }

        return loss;
    }
}
