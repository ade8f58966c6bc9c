using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Encoders;

public class ResNetEncoderTests
{
    // Every kind of block once: same shape, both strides, wider at stride 1.
    private static readonly int[] Blocks = [1, 2, 1, 1];

    [TestCase("conv1 bn1", 816)]
    [TestCase("layer1", 14_262)]
    [TestCase("layer2", 71_376)]
    [TestCase("layer3", 434_224)]
    [TestCase("layer4", 833_712)]
    [TestCase("sap_linear attention", 16_640)]
    [TestCase("fc", 66_048)]
    public void Every_stage_has_the_published_number_of_parameters(string names, int count)
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        _ = Engine.Encoders.Encoder.Create(new EncoderSpec { Kind = "resnet" }, parameters, "");
        string[] starts = names.Split(' ');
        Assert.That(parameters.Trainable.Where(p => starts.Contains(p.Name.Split('.')[0])).Sum(p => p.Shape.Count), Is.EqualTo(count));
    }

    [Test]
    public void Names_and_file_shapes_are_those_of_PyTorch()
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        _ = Engine.Encoders.Encoder.Create(new EncoderSpec { Kind = "resnet", Bins = 80, Pooling = EncoderPooling.Stats }, parameters, "");
        var shapes = parameters.All.ToDictionary(p => p.Name, p => p.FileShape);
        Assert.Multiple(() =>
        {
            Assert.That(shapes["conv1.weight"], Is.EqualTo(new Shape(16, 1, 7, 7)));
            Assert.That(shapes["bn1.running_var"], Is.EqualTo(new Shape(16)));
            Assert.That(shapes["layer2.0.conv1.weight"], Is.EqualTo(new Shape(32, 16, 3, 3)));
            Assert.That(shapes["layer2.0.downsample.0.weight"], Is.EqualTo(new Shape(32, 16, 1, 1)));
            Assert.That(shapes["layer4.0.downsample.1.bias"], Is.EqualTo(new Shape(128)));
            Assert.That(shapes["layer4.2.se.fc.0.weight"], Is.EqualTo(new Shape(16, 128)));
            Assert.That(shapes["layer4.2.se.fc.2.bias"], Is.EqualTo(new Shape(128)));
            Assert.That(shapes["fc.weight"], Is.EqualTo(new Shape(512, 2560)));
            Assert.That(shapes.Keys, Has.None.StartsWith("layer1.0.downsample"));
        });
    }

    [Test]
    public void Initial_values_follow_the_paper()
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        _ = Engine.Encoders.Encoder.Create(new EncoderSpec { Kind = "resnet" }, parameters, "");
        parameters.Allocate(3);
        Assert.Multiple(() =>
        {
            Assert.That(Deviation("layer4.1.conv2.weight"), Is.EqualTo(Math.Sqrt(2.0 / (128 * 9))).Within(2).Percent);
            Assert.That(Deviation("conv1.weight"), Is.EqualTo(Math.Sqrt(2.0 / (16 * 49))).Within(10).Percent);
            Assert.That(Deviation("attention"), Is.EqualTo(Math.Sqrt(2.0 / 129)).Within(25).Percent);
        });

        double Deviation(string name)
        {
            float[] values = Samples.Read(parameters.Trainable.Single(p => p.Name == name).Value);
            return Math.Sqrt(values.Sum(v => (double)v * v) / values.Length);
        }
    }

    /// <summary>Differences along one random direction for each parameter: a wrong element would have to be perpendicular to it.</summary>
    [Test]
    public void The_whole_model_matches_f64_in_values_and_gradients([Values] EncoderPooling pooling, [Values(5, 9)] int bins)
    {
        const int items = 3, frames = 9;
        var spec = new EncoderSpec { Kind = "resnet", Bins = bins, Width = 8, EmbeddingSize = 3, Pooling = pooling };
        using var device = new CpuDevice(2);
        var parameters = new ParameterSet(device);
        var encoder = new ResNetEncoder(spec, parameters, "", Blocks);
        parameters.Allocate(7);
        foreach (var p in parameters.Trainable.Where(p => p.Shape.Rank == 1))
        {
            // Away from 1 and 0, so that a forgotten scale or offset shows.
            float[] noise = Samples.Normal(p.Name.Length, p.Shape.Count, 0.3f), values = Samples.Read(p.Value);
            p.Value.CopyFrom([.. values.Zip(noise, (a, b) => a + b)]);
        }

        float[] features = Samples.Normal(3, items * frames * bins);
        var x = Samples.Variable(device, new Shape(items, frames, bins), features);
        var tape = new Tape();
        var y = encoder.Forward(tape, x, training: true);
        var weights = parameters.Trainable.ToDictionary(p => p.Name, p => Samples.ToDouble(InReferenceOrder(p, p.Value)));
        var input = new Frames(items, frames, bins, Samples.ToDouble(features));
        double[] want = ModelReference.ResNet(spec, input, weights, Blocks);
        Close.Assert(Samples.Read(y), want, 2e-5 * want.Max(Math.Abs), "embedding");

        float[] dy = Samples.Normal(991, y.Count);
        y.GradForWrite(out _).CopyFrom(dy);
        parameters.ZeroGradients();
        GradientCheck.Backward(tape);
        foreach (var p in parameters.Trainable)
        {
            Check(p.Name, weights[p.Name], InReferenceOrder(p, p.Value.Grad!));
        }

        Check("features", input.V, Samples.Read(x.Grad!));

        void Check(string name, double[] at, float[] got)
        {
            const double step = 1e-6;
            double[] kept = [.. at];
            float[] direction = Samples.Normal(name.Length + 17, at.Length);
            double above = Loss(step), below = Loss(-step);
            kept.CopyTo(at, 0);
            double length = Math.Sqrt(got.Sum(v => (double)v * v)), wanted = (above - below) / (2 * step);
            Close.Assert([got.Zip(direction, (a, b) => (double)a * b).Sum()], [wanted], 5e-4 * Math.Max(length, 0.05), $"gradient of {name} along a direction");

            double Loss(double along)
            {
                for (int i = 0; i < at.Length; i++)
                {
                    at[i] = kept[i] + (along * direction[i]);
                }

                return ModelReference.ResNet(spec, input, weights, Blocks).Zip(dy, (a, b) => a * b).Sum();
            }
        }
    }

    [TestCaseSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
    public void Cuda_equals_the_cpu(TestDevice on)
    {
        using var cpu = new CpuDevice(2);
        using var cuda = on.Open();
        foreach (var pooling in Enum.GetValues<EncoderPooling>())
        {
            var spec = new EncoderSpec { Kind = "resnet", Bins = 9, Width = 8, EmbeddingSize = 5, Pooling = pooling };
            var (want, got) = (Step(cpu, spec), Step(cuda, spec));
            for (int i = 0; i < want.Length; i++)
            {
                Close.Assert(got[i].Values, want[i].Values, 1e-3 * Math.Max(want[i].Values.Max(Math.Abs), 0.01f), $"{pooling}: {want[i].Name}");
            }
        }
    }

    private static (string Name, float[] Values)[] Step(Device device, EncoderSpec spec)
    {
        var parameters = new ParameterSet(device);
        var encoder = new ResNetEncoder(spec, parameters, "", Blocks);
        parameters.Allocate(7);
        parameters.ZeroGradients();
        var tape = new Tape();
        var y = encoder.Forward(tape, Samples.Variable(device, new Shape(3, 17, spec.Bins), Samples.Normal(3, 3 * 17 * spec.Bins)), training: true);
        y.GradForWrite(out _).CopyFrom(Samples.Normal(991, y.Count));
        GradientCheck.Backward(tape);
        return
        [
            ("embedding", Samples.Read(y)),
            .. parameters.Trainable.Select(p => ($"gradient of {p.Name}", Samples.Read(p.Value.Grad!))),
            .. parameters.Buffers.Select(p => (p.Name, Samples.Read(p.Value))),
        ];
    }

    // The reference flattens maps as PyTorch does; kernels stay in memory's order.
    private static float[] InReferenceOrder(Parameter p, Tensor tensor)
    {
        var values = Samples.Read(tensor);
        if (p.Layout == ParameterLayout.FlattenedMap)
        {
            p.Export(tensor, values);
        }

        return values;
    }
}
