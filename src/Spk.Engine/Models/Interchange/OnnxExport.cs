using Spk.Interop;

namespace Spk.Engine.Models.Interchange;

/// <summary>
/// Writes encoders as ONNX: features [N, T, F] in, embeddings [N, E] out, N and T free. The features themselves are not part of the graph; their
/// definition travels in the metadata, with the encoder's and the identity of the model.
/// </summary>
public static class OnnxExport
{
    /// <summary>Name of the input, normalised features f32 [N, T, F].</summary>
    public const string Input = "features";

    /// <summary>Name of the output, embeddings f32 [N, E], not length-normalised.</summary>
    public const string Output = "embedding";

    /// <summary>Writes a model, all or nothing.</summary>
    /// <param name="model">A model with any encoder.</param>
    /// <param name="path">The file to replace or make.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public static void Save(SpeakerModel model, string path)
    {
        ArgumentNullException.ThrowIfNull(model);
        var spec = model.Encoder.Spec;
        var graph = new OnnxGraph($"spk-{spec.Kind}");
        var layers = new OnnxLayers(graph, model.Parameters);
        string embedding = OnnxEncoders.Write(layers, spec, Input);
        graph.Output(embedding, Output);
        var file = graph.Finish(
            (Input, ["batch", "frames", spec.Bins]),
            (Output, ["batch", spec.EmbeddingSize]),
            [
                new(ModelKeys.Features, model.Features.ToJson()),
                new(ModelKeys.Encoder, spec.ToJson()),
                new("identity", model.ComputeIdentity()),
                new("minimum_frames", FormattableString.Invariant($"{model.Encoder.MinimumFrames}")),
            ]);
        AtomicFile.Write(path, stream => stream.Write(file.Content));
    }
}
