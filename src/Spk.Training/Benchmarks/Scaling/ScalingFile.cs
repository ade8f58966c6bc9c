using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>Curves with the machine they were measured on, as one JSON object.</summary>
/// <param name="Machine">See <see cref="MachineDescription"/>.</param>
/// <param name="Curves">The curves.</param>
public sealed record ScalingFile(IReadOnlyDictionary<string, string> Machine, IReadOnlyList<ScalingCurve> Curves)
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The whole file.</summary>
    public JsonObject ToJson() => new()
    {
        ["machine"] = new JsonObject(Machine.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        ["curves"] = new JsonArray([.. Curves.Select(c => (JsonNode)c.ToJson())]),
    };

    /// <summary>Writes it, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <exception cref="SpkException">It cannot be written.</exception>
    public void Write(string path) => AtomicFile.WriteText(path, ToJson().ToJsonString(Format) + "\n");

    /// <summary>Reads it.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataFormatException">It is missing, or no result of <c>spk bench scaling</c>.</exception>
    public static ScalingFile Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new DataFormatException($"{path}: there is no such file; `spk bench scaling --save {path}` makes one.");
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            return new ScalingFile(
                root.GetProperty("machine").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString() ?? ""),
                [.. root.GetProperty("curves").EnumerateArray().Select(ScalingCurve.FromJson)]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException or FormatException)
        {
            throw new DataFormatException($"{path}: not a file of curves ({e.Message.TrimEnd('.')}); make a new one with `spk bench scaling --save {path}`.", e);
        }
    }
}
