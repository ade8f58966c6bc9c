using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models.Interchange;

namespace Spk.Cli.Verbs;

/// <summary>Makes a model file from the weights of another toolkit.</summary>
internal sealed class ImportVerb : Verb
{
    private readonly Argument<string> _file = new("FILE") { Description = "Weights as safetensors, with the toolkit's own names." };
    private readonly Option<string> _from = CommonOptions.OptionalChoice("--from", "The toolkit.", "sslsv", "wespeaker");
    private readonly Option<string> _encoder = CommonOptions.OptionalChoice("--encoder", "The architecture; its sizes are read from the weights.", "tdnn", "ecapa", "resnet");
    private readonly Option<string> _features = CommonOptions.OptionalChoice("--features", "What it was trained on; default: the toolkit's usual features of as many bands.", [.. FeatureSpec.PresetNames]);
    private readonly Option<string> _out = CommonOptions.Out("The model file.", "MODEL.safetensors");

    public ImportVerb() : base("import", "Make a model file from weights of sslsv or wespeaker.")
    {
        Arguments.Add(_file);
        (_from.Required, _encoder.Required) = (true, true);
        foreach (Option option in new Option[] { _from, _encoder, _features, _out })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk import ecapa.safetensors --from wespeaker --encoder ecapa --out model.safetensors",
        "spk import simclr.safetensors --from sslsv --encoder resnet --features torchaudio-mel40 --out model.safetensors",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string path = options.GetRequiredValue(_out);
        var features = options.GetValue(_features) is { } preset ? FeatureSpec.Preset(preset) : null;
        using var device = new CpuDevice(1);
        var model = ForeignCheckpoint.Import(
            options.GetRequiredValue(_file), EncoderSpec.ParseVariant(options.GetRequiredValue(_from)), options.GetRequiredValue(_encoder), features, device);
        model.Save(path);
        var json = new JsonObject
        {
            ["out"] = path,
            ["encoder"] = JsonNode.Parse(model.Encoder.Spec.ToJson()),
            ["features"] = JsonNode.Parse(model.Features.ToJson()),
            ["identity"] = model.ComputeIdentity(),
        };
        context.Report(json, output => output.WriteLine(
            $"{path}: {model.Encoder.Spec.Kind} of width {model.Encoder.Spec.Width}, embeddings of size {model.EmbeddingSize}, {model.Features.Bins} mel bands at {model.SampleRate} Hz"));
        return ExitCode.Ok;
    }
}
