using System.Buffers;
using System.Text;
using System.Text.Json;
using Spk.Interop;

namespace Spk.Engine.Features;

public sealed partial record FeatureSpec
{
    /// <summary>The spec as one JSON object with camel-case fields.</summary>
    /// <returns>JSON text that <see cref="FromJson"/> reads back to an equal spec.</returns>
    public string ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("flavor", Name(Flavor));
            json.WriteNumber("sampleRate", SampleRate);
            json.WriteNumber("bins", Bins);
            json.WriteNumber("frameLengthMs", FrameLengthMs);
            json.WriteNumber("frameShiftMs", FrameShiftMs);
            json.WriteString("window", Name(Window));
            json.WriteNumber("lowHz", LowHz);
            json.WriteNumber("highHz", HighHz);
            json.WriteNumber("scale", Scale);
            json.WriteNumber("preemphasis", Preemphasis);
            json.WriteNumber("dither", Dither);
            json.WriteBoolean("removeMean", RemoveMean);
            json.WriteBoolean("snipEdges", SnipEdges);
            json.WriteBoolean("usePower", UsePower);
            json.WriteBoolean("useLog", UseLog);
            json.WriteNumber("logFloor", LogFloor);
            json.WriteString("normalization", Name(Normalization));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Reads a spec; fields that are absent keep the values of <see cref="TorchaudioMel40"/>.</summary>
    /// <param name="text">JSON object as written by <see cref="ToJson"/>.</param>
    /// <returns>A valid spec.</returns>
    /// <exception cref="DataFormatException">The text is not such an object or has a field of the wrong kind.</exception>
    /// <exception cref="InvalidOptionException">A field is unknown or outside its range.</exception>
    public static FeatureSpec FromJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var spec = new FeatureSpec();
            foreach (var field in document.RootElement.EnumerateObject())
            {
                spec = spec.WithField(field.Name, field.Value);
            }

            spec.Validate();
            return spec;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new DataFormatException($"The feature specification cannot be read: {e.Message}", e);
        }
    }

    private FeatureSpec WithField(string name, JsonElement value) => name switch
    {
        "flavor" => this with { Flavor = Named<FeatureFlavor>(name, value) },
        "sampleRate" => this with { SampleRate = value.GetInt32() },
        "bins" => this with { Bins = value.GetInt32() },
        "frameLengthMs" => this with { FrameLengthMs = value.GetSingle() },
        "frameShiftMs" => this with { FrameShiftMs = value.GetSingle() },
        "window" => this with { Window = Named<WindowKind>(name, value) },
        "lowHz" => this with { LowHz = value.GetSingle() },
        "highHz" => this with { HighHz = value.GetSingle() },
        "scale" => this with { Scale = value.GetSingle() },
        "preemphasis" => this with { Preemphasis = value.GetSingle() },
        "dither" => this with { Dither = value.GetSingle() },
        "removeMean" => this with { RemoveMean = value.GetBoolean() },
        "snipEdges" => this with { SnipEdges = value.GetBoolean() },
        "usePower" => this with { UsePower = value.GetBoolean() },
        "useLog" => this with { UseLog = value.GetBoolean() },
        "logFloor" => this with { LogFloor = value.GetSingle() },
        "normalization" => this with { Normalization = Named<FeatureNormalization>(name, value) },
        _ => throw new InvalidOptionException($"features.{name} is not a known field."),
    };

    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static T Named<T>(string field, JsonElement value) where T : struct, Enum
    {
        foreach (T candidate in Enum.GetValues<T>())
        {
            if (Name(candidate) == value.GetString())
            {
                return candidate;
            }
        }

        throw new InvalidOptionException(
            $"features.{field} = {value.GetString()}: allowed are {string.Join(", ", Enum.GetValues<T>().Select(Name))}.");
    }
}
