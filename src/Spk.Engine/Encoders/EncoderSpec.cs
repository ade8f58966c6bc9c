using System.Text;
using System.Text.Json;
using Spk.Interop;

namespace Spk.Engine.Encoders;

/// <summary>Everything that fixes an encoder's shape; it travels in checkpoints and model files.</summary>
public sealed record EncoderSpec
{
    /// <summary>"tdnn" (x-vector), "ecapa", "resnet" (Fast ResNet-34) or "gru" (recurrent layers, the encoder of APC).</summary>
    public string Kind { get; init; } = "tdnn";

    /// <summary>Whose details to follow.</summary>
    public EncoderVariant Variant { get; init; } = EncoderVariant.Sslsv;

    /// <summary>Filterbank bins of the input, above 0.</summary>
    public int Bins { get; init; } = 40;

    /// <summary>
    /// Channels of the frame layers, above 0; for ECAPA a multiple of <see cref="Scale"/>. ResNet: channels of the first stage, a
    /// multiple of 8. GRU: units of every layer. 0 on input stands for the default: 512, ResNet 16.
    /// </summary>
    public int Width
    {
        get => field != 0 ? field : Kind == "resnet" ? 16 : 512;
        init;
    }

    /// <summary>
    /// Channels before the pooling; 0 on input stands for the default: TDNN 1500 from width 512 and three times the width
    /// below; ECAPA three times the width (sslsv) or 1536 (wespeaker); ResNet always eight times the width, GRU always the width.
    /// </summary>
    public int LastWidth
    {
        get => field != 0 ? field : DefaultLastWidth;
        init;
    }

    /// <summary>Elements of the embedding, above 0.</summary>
    public int EmbeddingSize { get; init; } = 512;

    /// <summary>TDNN: whether a hidden layer (linear, ReLU, batch norm) lies between the pooling and the embedding.</summary>
    public bool Segment { get; init; } = true;

    /// <summary>ECAPA: groups of a Res2 layer, 2 or more.</summary>
    public int Scale { get; init; } = 8;

    /// <summary>ECAPA: hidden units of squeeze-excitation and attention, above 0.</summary>
    public int Bottleneck { get; init; } = 128;

    /// <summary>ResNet: how the last map becomes one vector.</summary>
    public EncoderPooling Pooling { get; init; } = EncoderPooling.Sap;

    /// <summary>GRU: recurrent layers, above 0.</summary>
    public int Layers { get; init; } = 3;

    private int DefaultLastWidth => Kind switch
    {
        "gru" => Width,
        "ecapa" => Variant == EncoderVariant.Sslsv ? 3 * Width : 1536,
        "resnet" => 8 * Width,
        _ => Width >= 512 ? 1500 : 3 * Width,
    };

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it and what is allowed.</exception>
    public void Validate()
    {
        if (Kind is not ("tdnn" or "ecapa" or "resnet" or "gru"))
        {
            throw new InvalidOptionException($"encoder.kind = '{Kind}': allowed are tdnn, ecapa, resnet and gru.");
        }

        if (!Enum.IsDefined(Variant))
        {
            throw new InvalidOptionException($"encoder.variant = {Variant}: allowed are sslsv and wespeaker.");
        }

        if (!Enum.IsDefined(Pooling))
        {
            throw new InvalidOptionException($"encoder.pooling = {Pooling}: allowed are sap and stats.");
        }

        Above("bins", Bins, 1);
        Above("width", Width, 1);
        Above("lastWidth", LastWidth, 1);
        Above("embeddingSize", EmbeddingSize, 1);
        Above("scale", Scale, 2);
        Above("bottleneck", Bottleneck, 1);
        Above("layers", Layers, 1);
        if (Kind == "ecapa" && Width % Scale != 0)
        {
            throw new InvalidOptionException($"encoder.width = {Width}: an ECAPA width must be a multiple of scale = {Scale}.");
        }

        if (Kind == "resnet")
        {
            ValidateResNet();
        }

        if (Kind == "gru" && LastWidth != Width)
        {
            throw new InvalidOptionException($"encoder.lastWidth = {LastWidth}: that of a GRU is its width, {Width}; leave it out.");
        }
    }

    /// <summary>The spec as one JSON object, with the defaults filled in.</summary>
    public string ToJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("kind", Kind);
            writer.WriteString("variant", Variant == EncoderVariant.Sslsv ? "sslsv" : "wespeaker");
            writer.WriteNumber("bins", Bins);
            writer.WriteNumber("width", Width);
            writer.WriteNumber("lastWidth", LastWidth);
            writer.WriteNumber("embeddingSize", EmbeddingSize);
            writer.WriteBoolean("segment", Segment);
            writer.WriteNumber("scale", Scale);
            writer.WriteNumber("bottleneck", Bottleneck);
            writer.WriteString("pooling", Pooling == EncoderPooling.Sap ? "sap" : "stats");
            if (Kind == "gru")
            {
                // Others have none: what was written of them before, and the identity of their models, stays the same.
                writer.WriteNumber("layers", Layers);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>Reads what <see cref="ToJson"/> writes; absent fields keep their defaults.</summary>
    /// <param name="json">One JSON object.</param>
    /// <returns>A validated spec.</returns>
    /// <exception cref="DataFormatException">The text is not such an object, or has an unknown field.</exception>
    /// <exception cref="InvalidOptionException">A field is out of range.</exception>
    public static EncoderSpec FromJson(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        var spec = new EncoderSpec();
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var field in document.RootElement.EnumerateObject())
            {
                spec = field.Name switch
                {
                    "kind" => spec with { Kind = field.Value.GetString() ?? "" },
                    "variant" => spec with { Variant = ParseVariant(field.Value.GetString()) },
                    "bins" => spec with { Bins = field.Value.GetInt32() },
                    "width" => spec with { Width = field.Value.GetInt32() },
                    "lastWidth" => spec with { LastWidth = field.Value.GetInt32() },
                    "embeddingSize" => spec with { EmbeddingSize = field.Value.GetInt32() },
                    "segment" => spec with { Segment = field.Value.GetBoolean() },
                    "scale" => spec with { Scale = field.Value.GetInt32() },
                    "bottleneck" => spec with { Bottleneck = field.Value.GetInt32() },
                    "layers" => spec with { Layers = field.Value.GetInt32() },
                    "pooling" => spec with { Pooling = ParsePooling(field.Value.GetString()) },
                    _ => throw new DataFormatException($"The encoder spec has an unknown field '{field.Name}': it was written by another version."),
                };
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new DataFormatException($"The encoder spec is not valid JSON of the expected types: {e.Message}", e);
        }

        spec.Validate();
        return spec;
    }

    /// <summary>Reads a variant's name.</summary>
    /// <param name="name">"sslsv" or "wespeaker".</param>
    /// <returns>The variant.</returns>
    /// <exception cref="InvalidOptionException">Another name.</exception>
    public static EncoderVariant ParseVariant(string? name) => name switch
    {
        "sslsv" => EncoderVariant.Sslsv,
        "wespeaker" => EncoderVariant.Wespeaker,
        _ => throw new InvalidOptionException($"encoder.variant = '{name}': allowed are sslsv and wespeaker."),
    };

    private static EncoderPooling ParsePooling(string? name) => name switch
    {
        "sap" => EncoderPooling.Sap,
        "stats" => EncoderPooling.Stats,
        _ => throw new InvalidOptionException($"encoder.pooling = '{name}': allowed are sap and stats."),
    };

    private void ValidateResNet()
    {
        if (Width % SqueezeExciteResidualBlock.Reduction != 0)
        {
            throw new InvalidOptionException(
                $"encoder.width = {Width}: a ResNet width must be a multiple of {SqueezeExciteResidualBlock.Reduction}, which squeeze and excitation divides it by.");
        }

        if (Variant != EncoderVariant.Sslsv)
        {
            throw new InvalidOptionException($"encoder.variant = wespeaker: the ResNet is that of sslsv.");
        }

        if (LastWidth != 8 * Width)
        {
            throw new InvalidOptionException($"encoder.lastWidth = {LastWidth}: that of a ResNet is eight times its width, {8 * Width}; leave it out.");
        }
    }

    private static void Above(string field, int value, int least)
    {
        if (value < least)
        {
            throw new InvalidOptionException($"encoder.{field} = {value}: it must be {least} or more.");
        }
    }
}
