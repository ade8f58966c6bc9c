using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Models.Interchange;
using Spk.Interop;
using Spk.Tests.Cli;
using Spk.Tests.Support;
using Spk.Tests.Verification;

namespace Spk.Tests.Models;

public class ForeignCheckpointTests
{
    // The names as they stand in the toolkits' own sources.
    private static readonly Dictionary<(EncoderVariant, string), (string Ours, string Theirs)[]> Known = new()
    {
        [(EncoderVariant.Sslsv, "tdnn")] =
        [
            ("frames.0.conv.weight", "blocks.0.conv.weight"), ("frames.4.norm.running_var", "blocks.4.bn.running_var"), ("embedding.bias", "last_fc.bias"),
        ],
        [(EncoderVariant.Wespeaker, "tdnn")] =
        [
            ("frames.0.conv.weight", "frame_1.conv_1d.weight"), ("frames.4.norm.running_mean", "frame_5.bn.running_mean"),
            ("segment.linear.weight", "seg_1.weight"), ("segment.norm.running_var", "seg_bn_1.running_var"), ("embedding.weight", "seg_2.weight"),
        ],
        [(EncoderVariant.Sslsv, "ecapa")] =
        [
            ("stem.conv.weight", "blocks.0.conv.conv.weight"), ("stem.norm.bias", "blocks.0.norm.bias"),
            ("blocks.0.enter.conv.bias", "blocks.1.tdnn1.conv.conv.bias"), ("blocks.2.leave.norm.weight", "blocks.3.tdnn2.norm.weight"),
            ("blocks.1.res2.6.conv.weight", "blocks.2.res2net_block.blocks.6.conv.conv.weight"), ("blocks.1.excite.expand.weight", "blocks.2.se_block.conv2.conv.weight"),
            ("aggregation.norm.weight", "mfa.norm.weight"), ("pool.context.weight", "asp.tdnn.conv.conv.weight"), ("pool.norm.running_mean", "asp.tdnn.norm.running_mean"),
            ("pool.score.bias", "asp.conv.conv.bias"), ("norm.weight", "asp_bn.weight"), ("embedding.weight", "fc.conv.weight"),
        ],
        [(EncoderVariant.Sslsv, "resnet")] =
        [
            ("conv1.weight", "conv.weight"), ("bn1.running_mean", "bn.running_mean"), ("layer1.0.conv1.weight", "block1.0.conv1.weight"),
            ("layer2.3.bn2.running_var", "block2.3.bn2.running_var"), ("layer3.5.se.fc.0.weight", "block3.5.se.fc.0.weight"), ("layer4.0.downsample.1.bias", "block4.0.downsample.1.bias"),
            ("sap_linear.bias", "pooling.sap_linear.bias"), ("attention", "pooling.attention"), ("fc.weight", "fc.weight"),
        ],
        [(EncoderVariant.Wespeaker, "ecapa")] =
        [
            ("stem.norm.bias", "layer1.bn.bias"), ("blocks.0.enter.conv.bias", "layer2.se_res2block.0.conv.bias"), ("blocks.1.res2.6.conv.weight", "layer3.se_res2block.1.convs.6.weight"),
            ("blocks.1.res2.0.norm.running_var", "layer3.se_res2block.1.bns.0.running_var"), ("blocks.2.excite.reduce.weight", "layer4.se_res2block.3.linear1.weight"),
            ("aggregation.conv.weight", "conv.weight"), ("pool.context.weight", "pool.linear1.weight"), ("norm.running_mean", "bn.running_mean"), ("embedding.bias", "linear.bias"),
        ],
    };

    private static IEnumerable<TestCaseData> Encoders() => Known.Keys.Select(k => new TestCaseData(k.Item1, k.Item2));

    [TestCaseSource(nameof(Encoders))]
    public void Names_are_those_of_the_toolkit(EncoderVariant variant, string kind)
    {
        foreach (var (ours, theirs) in Known[(variant, kind)])
        {
            Assert.That(ForeignNames.Of(variant, kind, ours), Is.EqualTo(theirs));
        }
    }

    [TestCaseSource(nameof(Encoders))]
    public void Generated_weights_come_through_to_the_same_embedding(EncoderVariant variant, string kind)
    {
        using var folder = new TemporaryFolder();
        using var device = new CpuDevice(1);
        var model = Generated(device, variant, kind);
        Write(folder.At("theirs.safetensors"), model.Parameters, variant, kind, "module.encoder.");
        var imported = ForeignCheckpoint.Import(folder.At("theirs.safetensors"), variant, kind, null, device);
        Assert.That(imported.Encoder.Spec, Is.EqualTo(model.Speaker.Encoder.Spec));
        Assert.That(imported.Features, Is.EqualTo(model.Speaker.Features));
        float[] wave = TinyModel.Voice(1);
        Assert.That(imported.Embed(wave, 16000), Is.EqualTo(model.Speaker.Embed(wave, 16000)));

        string command = folder.At("model.safetensors"), from = variant == EncoderVariant.Sslsv ? "sslsv" : "wespeaker";
        var run = CommandLine.Run("import", folder.At("theirs.safetensors"), "--from", from, "--encoder", kind, "--out", command, "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("identity").GetString(), Is.EqualTo(imported.ComputeIdentity()));
        Assert.That(SpeakerModel.Load(command, device).Embed(wave, 16000), Is.EqualTo(imported.Embed(wave, 16000)));
    }

    [Test]
    public void What_is_missing_or_does_not_belong_is_named_as_the_toolkit_names_it()
    {
        using var folder = new TemporaryFolder();
        using var device = new CpuDevice(1);
        var model = Generated(device, EncoderVariant.Wespeaker, "ecapa");
        string path = folder.At("theirs.safetensors");
        Assert.Multiple(() =>
        {
            Write(path, model.Parameters, EncoderVariant.Wespeaker, "ecapa", "", name => name != "layer3.se_res2block.2.bn.weight");
            Assert.That(Import, Throws.TypeOf<DataFormatException>().With.Message.Contains("no tensor layer3.se_res2block.2.bn.weight"));
            Write(path, model.Parameters, EncoderVariant.Wespeaker, "ecapa", "", extra: "bn2.weight");
            Assert.That(Import, Throws.TypeOf<DataFormatException>().With.Message.Contains("bn2.weight").And.Message.Contains("ecapa of wespeaker"));
            Write(path, model.Parameters, EncoderVariant.Wespeaker, "ecapa", "");
            Assert.That(() => ForeignCheckpoint.Import(path, EncoderVariant.Sslsv, "ecapa", null, device), Throws.TypeOf<DataFormatException>().With.Message.Contains("blocks.0.conv.conv.weight"));
            Assert.That(() => ForeignCheckpoint.Import(path, EncoderVariant.Wespeaker, "resnet", null, device), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => ForeignCheckpoint.Import(path, EncoderVariant.Wespeaker, "gru", null, device), Throws.TypeOf<InvalidOptionException>());
            Assert.That(
                () => ForeignCheckpoint.Import(path, EncoderVariant.Wespeaker, "ecapa", FeatureSpec.TorchaudioMel40, device),
                Throws.TypeOf<InvalidOptionException>().With.Message.Contains("80 mel bands"));
        });

        object Import() => ForeignCheckpoint.Import(path, EncoderVariant.Wespeaker, "ecapa", null, device);
    }

    [TestCase(null)]
    [TestCase(80)]
    [TestCase(40)]
    public void A_resnet_with_statistics_knows_its_bands(int? bands)
    {
        using var folder = new TemporaryFolder();
        using var device = new CpuDevice(1);
        var model = Make(device, FeatureSpec.TorchaudioMel80, new EncoderSpec { Kind = "resnet", Bins = 80, Width = 8, EmbeddingSize = 6, Pooling = EncoderPooling.Stats });
        Write(folder.At("theirs.safetensors"), model.Parameters, EncoderVariant.Sslsv, "resnet", "encoder.");
        var features = bands switch { null => null, 80 => FeatureSpec.TorchaudioMel80, _ => FeatureSpec.TorchaudioMel40 };
        if (bands == 40)
        {
            Assert.That(Import, Throws.TypeOf<InvalidOptionException>().With.Message.Contains("80 mel bands"));
            return;
        }

        float[] wave = TinyModel.Voice(1);
        Assert.That(Import().Encoder.Spec, Is.EqualTo(model.Speaker.Encoder.Spec));
        Assert.That(Import().Embed(wave, 16000), Is.EqualTo(model.Speaker.Embed(wave, 16000)));

        SpeakerModel Import() => ForeignCheckpoint.Import(folder.At("theirs.safetensors"), EncoderVariant.Sslsv, "resnet", features, device);
    }

    private static (SpeakerModel Speaker, ParameterSet Parameters) Generated(CpuDevice device, EncoderVariant variant, string kind)
    {
        var features = variant == EncoderVariant.Sslsv ? FeatureSpec.TorchaudioMel40 : FeatureSpec.KaldiFbank80;
        if (kind == "resnet")
        {
            return Make(device, features, new EncoderSpec { Kind = kind, Variant = variant, Bins = features.Bins, Width = 8, EmbeddingSize = 10 });
        }

        var spec = new EncoderSpec
        {
            Kind = kind,
            Variant = variant,
            Bins = features.Bins,
            Width = 16,
            LastWidth = 24,
            EmbeddingSize = kind == "tdnn" ? 16 : 10,
            Segment = variant == EncoderVariant.Wespeaker,
            Scale = 8,
            Bottleneck = 6,
        };

        // Fields that the kind does not use keep their defaults, as they do after an import.
        return Make(device, features, kind == "tdnn" ? spec with { Bottleneck = new EncoderSpec().Bottleneck } : spec with { Segment = new EncoderSpec().Segment });
    }

    private static (SpeakerModel Speaker, ParameterSet Parameters) Make(CpuDevice device, FeatureSpec features, EncoderSpec spec)
    {
        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters);
        parameters.Allocate(3, gradients: false);
        int seed = 0;
        foreach (var buffer in parameters.Buffers)
        {
            // Statistics of a training: deviations above 0, so that no two tensors could be mistaken for each other.
            buffer.ImportFrom([.. Samples.Normal(++seed, buffer.Shape.Count).Select(v => MathF.Abs(v) + 0.5f)]);
        }

        return (new SpeakerModel(new FeatureExtractor(device, features), encoder, parameters), parameters);
    }

    private static void Write(string path, ParameterSet parameters, EncoderVariant variant, string kind, string prefix, Func<string, bool>? keep = null, string? extra = null)
    {
        var content = new SafetensorsContent();
        foreach (var parameter in parameters.All)
        {
            string name = ForeignNames.Of(variant, kind, parameter.Name["encoder.".Length..]);
            if (keep?.Invoke(name) == false)
            {
                continue;
            }

            var values = new float[parameter.Shape.Count];
            parameter.ExportTo(values);
            List<int> shape = [.. Enumerable.Range(0, parameter.FileShape.Rank).Select(i => parameter.FileShape[i])];

            // The toolkits write these linear maps as 1×1 convolutions.
            bool pointwise = shape.Count == 2 && (name.StartsWith("pool.linear", StringComparison.Ordinal) || name.Contains(".conv", StringComparison.Ordinal));
            content.Add<float>(prefix + name, values, [.. shape, .. pointwise ? [1] : Array.Empty<int>()]);
        }

        content.Add<long>(prefix + "num_batches_tracked", [7], 1);
        content.Add<float>("projection.weight", [1, 2], 2);
        if (extra is not null)
        {
            content.Add<float>(extra, [1], 1);
        }

        SafetensorsFile.Write(path, content);
    }
}
