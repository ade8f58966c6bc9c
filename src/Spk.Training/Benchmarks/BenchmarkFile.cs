using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.Benchmarks;

/// <summary>Results with the machine they were measured on, as one JSON object.</summary>
/// <param name="Machine">The device, the runtime, the day, in words.</param>
/// <param name="Results">The results, round after round.</param>
public sealed record BenchmarkFile(IReadOnlyDictionary<string, string> Machine, IReadOnlyList<BenchmarkResult> Results)
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The result of a case; of several rounds the one in the middle, by the median of its calls.</summary>
    /// <param name="key">Which case (<see cref="BenchmarkResult.Key"/>).</param>
    /// <returns>Null where there is none.</returns>
    public BenchmarkResult? Find(string key)
    {
        BenchmarkResult[] rounds = [.. Results.Where(r => r.Key == key).OrderBy(r => r.Median)];
        return rounds.Length == 0 ? null : rounds[rounds.Length / 2];
    }

    /// <summary>The whole file.</summary>
    public JsonObject ToJson() => new()
    {
        ["machine"] = new JsonObject(Machine.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        ["results"] = new JsonArray([.. Results.Select(r => (JsonNode)r.ToJson())]),
    };

    /// <summary>Writes it, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <exception cref="SpkException">It cannot be written.</exception>
    public void Write(string path) => AtomicFile.WriteText(path, ToJson().ToJsonString(Format) + "\n");

    /// <summary>Reads it.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataFormatException">It is missing, or no results of <c>spk bench</c>.</exception>
    public static BenchmarkFile Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new DataFormatException($"{path}: there is no such file; `spk bench --save {path}` makes one.");
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            return new BenchmarkFile(
                root.GetProperty("machine").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString() ?? ""),
                [.. root.GetProperty("results").EnumerateArray().Select(BenchmarkResult.FromJson)]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new DataFormatException($"{path}: not a file of results ({e.Message.TrimEnd('.')}); make a new one with `spk bench --save {path}`.", e);
        }
    }
}
