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

    /// <summary>Numbers by name: means over the last epoch, what its <c>epoch</c> line holds besides, and how the embeddings cluster.</summary>
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

    /// <summary>
    /// What a log says about the last epoch: the numbers of its <c>epoch</c> line, and the means over its steps. An epoch line holds means too, but
    /// of the steps of one process only.
    /// </summary>
    internal static Dictionary<string, double> LastEpoch(string log)
    {
        var numbers = new Dictionary<string, double>(StringComparer.Ordinal);
        var sums = new Dictionary<string, (double Sum, int Count)>(StringComparer.Ordinal);
        double epoch = 0;
        foreach (string line in File.Exists(log) ? File.ReadLines(log) : [])
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            string? kind = root.GetProperty("kind").GetString();
            if (kind is not ("step" or "epoch"))
            {
                continue;
            }

            if (root.GetProperty("epoch").GetDouble() is var number && number > epoch)
            {
                epoch = number;
                sums.Clear();
            }

            foreach (var field in root.EnumerateObject())
            {
                if (field.Value.ValueKind != JsonValueKind.Number || field.Name is "step" or "epoch" or "steps" or "utterancesPerSecond" or "dataShare")
                {
                    continue;
                }

                double value = field.Value.GetDouble();
                if (kind == "epoch")
                {
                    numbers[field.Name] = value;
                }
                else
                {
                    var (sum, count) = sums.GetValueOrDefault(field.Name);
                    sums[field.Name] = (sum + value, count + 1);
                }
            }
        }

        foreach (var (name, (sum, count)) in sums)
        {
            numbers[name] = sum / count;
        }

        return numbers;
    }
}
