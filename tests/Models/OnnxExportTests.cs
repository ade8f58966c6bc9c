using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Models.Interchange;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Models;

public class OnnxExportTests
{
    [TestCase("tdnn", EncoderVariant.Sslsv)]
    [TestCase("tdnn", EncoderVariant.Wespeaker)]
    [TestCase("ecapa", EncoderVariant.Sslsv)]
    [TestCase("ecapa", EncoderVariant.Wespeaker)]
    [TestCase("resnet", EncoderVariant.Sslsv)]
    [TestCase("resnet", EncoderVariant.Sslsv, EncoderPooling.Stats)]
    [TestCase("gru", EncoderVariant.Sslsv)]
    public void The_graph_computes_what_the_encoder_computes(string kind, EncoderVariant variant, EncoderPooling pooling = EncoderPooling.Sap)
    {
        using var folder = new TemporaryFolder();
        using var device = new CpuDevice(1);
        var spec = new EncoderSpec { Kind = kind, Variant = variant, Bins = 40, EmbeddingSize = 7, Layers = 2, Pooling = pooling };
        spec = kind switch
        {
            "resnet" => spec with { Width = 8 },
            "gru" => spec with { Width = 16 },
            _ => spec with { Width = 16, LastWidth = 20, Bottleneck = 5, Scale = 4 },
        };
        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters);
        parameters.Allocate(5, gradients: false);
        int seed = 0;
        foreach (var parameter in parameters.All)
        {
            // Nothing may be 0 or 1, or a forgotten term would not show. The kernels of a deep network keep their size, or it would overflow.
            if (parameter.Layout == ParameterLayout.Conv2dKernel)
            {
                continue;
            }

            bool variance = parameter.Name.EndsWith("running_var", StringComparison.Ordinal);
            parameter.ImportFrom([.. Samples.Normal(++seed, parameter.Shape.Count, 0.3f).Select(v => variance ? MathF.Abs(v) + 0.2f : v)]);
        }

        var model = new SpeakerModel(new FeatureExtractor(device, FeatureSpec.TorchaudioMel40), encoder, parameters);
        OnnxExport.Save(model, folder.At("model.onnx"));
        var onnx = OnnxModel.Read(folder.At("model.onnx"));
        Assert.That((onnx.Input, onnx.Output, onnx.OperatorSet), Is.EqualTo(("features", "embedding", 13L)));
        Assert.That(FeatureSpec.FromJson(onnx.Metadata["features"]), Is.EqualTo(model.Features));
        Assert.That(onnx.Metadata["identity"], Is.EqualTo(model.ComputeIdentity()));

        // Two lengths and batches through one graph: both axes are free.
        foreach (var (batch, frames) in new[] { (1, 23), (2, 17) })
        {
            float[] features = Samples.Normal(77, batch * frames * spec.Bins);
            device.Workspace.Reset();
            float[] got = Samples.Read(encoder.Forward(null, Samples.Constant(device, new Shape(batch, frames, spec.Bins), features), training: false));
            double[] want = onnx.Run(Samples.ToDouble(features), batch, frames, spec.Bins);
            Close.Assert(got, want, 2e-4 * want.Max(Math.Abs), $"{batch} of {frames} frames");
        }
    }
}
