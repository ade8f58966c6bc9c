using Spk.Engine.Encoders;
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

    private static readonly int[] ChannelsFirst = [0, 2, 1];

    /// <summary>Writes a model, all or nothing.</summary>
    /// <param name="model">A model with a tdnn or ecapa encoder.</param>
    /// <param name="path">The file to replace or make.</param>
    /// <exception cref="InvalidOptionException">The encoder is of another kind.</exception>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public static void Save(SpeakerModel model, string path)
    {
        ArgumentNullException.ThrowIfNull(model);
        var spec = model.Encoder.Spec;
        var graph = new OnnxGraph($"spk-{spec.Kind}");
        var layers = new OnnxLayers(graph, model.Parameters);
        string frames = graph.Node("Transpose", [Input], new OnnxGraph.Attribute("perm", ChannelsFirst));
        string embedding = spec.Kind switch
        {
            "tdnn" => Tdnn(layers, spec, frames),
            "ecapa" => Ecapa(layers, spec, frames),
            _ => throw new InvalidOptionException($"an encoder of kind '{spec.Kind}' cannot be written as ONNX: only tdnn and ecapa can."),
        };
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

    private static string Tdnn(OnnxLayers layers, EncoderSpec spec, string x)
    {
        string activation = spec.Variant == EncoderVariant.Sslsv ? "LeakyRelu" : "Relu";
        int[] dilations = [1, 2, 3, 1, 1];
        for (int i = 0; i < dilations.Length; i++)
        {
            x = layers.Frame($"frames.{i}", x, dilations[i], PaddingMode.Valid, activation);
        }

        x = layers.Pool(x, unbiased: true, eps: 1e-7f, keepTime: false);
        if (spec.Segment)
        {
            x = layers.Norm("segment.norm", layers.Activate("Relu", layers.Linear("segment.linear", x)));
        }

        return layers.Linear("embedding", x);
    }

    private static string Ecapa(OnnxLayers layers, EncoderSpec spec, string x)
    {
        bool sslsv = spec.Variant == EncoderVariant.Sslsv;
        var padding = sslsv ? PaddingMode.Reflect : PaddingMode.Zero;
        x = layers.Frame("stem", x, 1, padding);
        string[] blocks = new string[3];
        for (int i = 0; i < blocks.Length; i++)
        {
            string name = $"blocks.{i}";
            string inner = layers.Frame($"{name}.enter", x, 1, PaddingMode.Valid);
            inner = layers.Res2($"{name}.res2", inner, spec.Scale, i + 2, padding, firstUntouched: sslsv);
            inner = layers.Frame($"{name}.leave", inner, 1, PaddingMode.Valid);
            blocks[i] = x = layers.Add(layers.Excite($"{name}.excite", inner), x);
        }

        x = layers.Activate("Relu", layers.Conv("aggregation.conv", layers.Concat(blocks), 1, PaddingMode.Valid));
        x = sslsv ? layers.Norm("aggregation.norm", x) : x;
        return layers.Linear("embedding", layers.Norm("norm", layers.AttentivePool("pool", x, sslsv)));
    }
}
