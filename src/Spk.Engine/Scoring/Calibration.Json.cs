using System.Text;
using System.Text.Json;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <content>The JSON file.</content>
public sealed partial record Calibration
{
    private const string Format = "spk-calibration";
    private const int Version = 1;

    /// <summary>Writes the file, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.WriteText(path, ToJson() + "\n");

    /// <summary>One JSON object over several lines.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("format", Format);
            json.WriteNumber("version", Version);
            json.WriteNumber("scale", Scale);
            json.WriteNumber("offset", Offset);
            json.WriteNumber("threshold", Threshold);
            json.WriteString("rule", Rule);
            json.WriteString("scoring", Scoring);
            json.WriteString("cohort", Cohort);
            json.WriteString("model", Model);
            json.WriteNumber("targets", Targets);
            json.WriteNumber("nonTargets", NonTargets);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataFormatException">The file is missing or no calibration; the message says what is wrong.</exception>
    public static Calibration Load(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = json.RootElement;
            if (root.GetProperty("format").GetString() != Format || root.GetProperty("version").GetInt32() != Version)
            {
                throw new DataFormatException($"{path} is no calibration of version {Version}: make it again with this version of spk.");
            }

            return new Calibration
            {
                Scale = Number("scale"),
                Offset = Number("offset"),
                Threshold = Number("threshold"),
                Rule = root.GetProperty("rule").GetString() ?? "",
                Scoring = root.GetProperty("scoring").GetString() ?? Cosine,
                Cohort = root.TryGetProperty("cohort", out var cohort) ? cohort.GetString() : null,
                Model = root.GetProperty("model").GetString(),
                Targets = root.GetProperty("targets").GetInt32(),
                NonTargets = root.GetProperty("nonTargets").GetInt32(),
            };

            double Number(string name) => root.GetProperty(name).GetDouble() is var value && double.IsFinite(value)
                ? value
                : throw new DataFormatException($"{path}: '{name}' is not finite.");
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new DataFormatException($"{path} is not a calibration that spk wrote: {error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"cannot read {path}: {error.Message}", error);
        }
    }
}
