using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.Reproduction;

/// <summary>What a finished run leaves besides its scores.</summary>
public sealed record RunFigures
{
    /// <summary>Steps done.</summary>
    public required long Steps { get; init; }

    /// <summary>Time that training and scoring took in the process that finished the run.</summary>
    public required double Seconds { get; init; }

    /// <summary>Mean training speed of that process.</summary>
    public required double UtterancesPerSecond { get; init; }

    /// <summary>Name of the device.</summary>
    public required string Device { get; init; }

    /// <summary>Numbers by name: those of the last <c>epoch</c> line of the log, and those of the clusters of the embeddings.</summary>
    public required IReadOnlyDictionary<string, double> Quantities { get; init; }

    internal void Write(string path)
    {
        var quantities = new JsonObject();
        foreach (var (name, value) in Quantities)
        {
            quantities[name] = value;
        }

        var json = new JsonObject
        {
            ["steps"] = Steps,
            ["seconds"] = Seconds,
            ["utterancesPerSecond"] = UtterancesPerSecond,
            ["device"] = Device,
            ["quantities"] = quantities,
        };
        AtomicFile.WriteText(path, json.ToJsonString() + "\n");
    }

    internal static RunFigures Read(string path)
    {
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(path))!;
            return new RunFigures
            {
                Steps = (long)json["steps"]!,
                Seconds = (double)json["seconds"]!,
                UtterancesPerSecond = (double)json["utterancesPerSecond"]!,
                Device = (string)json["device"]!,
                Quantities = json["quantities"]!.AsObject().ToDictionary(q => q.Key, q => (double)q.Value!, StringComparer.Ordinal),
            };
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException or FormatException or IOException)
        {
            throw new DataFormatException($"{path} is not what a finished run writes: delete it to have the run measured again.", e);
        }
    }

    /// <summary>The numbers of the last epoch line of a log.</summary>
    internal static Dictionary<string, double> LastEpoch(string log)
    {
        var numbers = new Dictionary<string, double>(StringComparer.Ordinal);
        string? last = File.Exists(log) ? File.ReadLines(log).LastOrDefault(l => l.StartsWith("{\"kind\":\"epoch\"", StringComparison.Ordinal)) : null;
        if (last is null)
        {
            return numbers;
        }

        using var json = JsonDocument.Parse(last);
        foreach (var field in json.RootElement.EnumerateObject())
        {
            if (field.Value.ValueKind == JsonValueKind.Number && field.Name is not ("step" or "epoch" or "steps"))
            {
                numbers[field.Name] = field.Value.GetDouble();
            }
        }

        return numbers;
    }
}
