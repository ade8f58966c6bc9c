using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Models.Interchange;

namespace Spk.Cli.Verbs;

/// <summary>Writes a trained encoder for other programs.</summary>
internal sealed class ExportVerb : Verb
{
    private readonly Argument<string> _model = new("MODEL") { Description = "Run folder, checkpoint or model file." };
    private readonly Option<string> _onnx = new("--onnx") { Description = "ONNX: features in, embeddings out, any batch and length.", HelpName = "FILE.onnx" };
    private readonly Option<string> _safetensors = new("--safetensors") { Description = "Model file: weights and definitions without the state of the training.", HelpName = "FILE.safetensors" };

    public ExportVerb() : base("export", "Write a trained encoder as ONNX, or as a model file without the state of its training.")
    {
        Arguments.Add(_model);
        Options.Add(_onnx);
        Options.Add(_safetensors);
        Validators.Add(result =>
        {
            if (result.GetValue(_onnx) is null && result.GetValue(_safetensors) is null)
            {
                result.AddError("--onnx FILE or --safetensors FILE must be given.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk export runs/first --onnx first.onnx",
        "spk export runs/first/checkpoints/best.safetensors --safetensors model.safetensors",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        using var device = new CpuDevice(1);
        var model = SpeakerModel.Load(options.GetRequiredValue(_model), device);
        string? onnx = options.GetValue(_onnx), safetensors = options.GetValue(_safetensors);
        if (onnx is not null)
        {
            OnnxExport.Save(model, onnx);
        }

        if (safetensors is not null)
        {
            model.Save(safetensors);
        }

        var json = new JsonObject { ["onnx"] = onnx, ["safetensors"] = safetensors, ["identity"] = model.ComputeIdentity() };
        context.Report(json, output =>
        {
            foreach (string path in new[] { onnx, safetensors }.OfType<string>())
            {
                output.WriteLine($"{path}: {model.Encoder.Spec.Kind}, {model.Features.Bins} mel bands in, embeddings of size {model.EmbeddingSize} out");
            }
        });
        return ExitCode.Ok;
    }
}
