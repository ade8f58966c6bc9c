using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.PseudoLabelling;

/// <summary>What a round of pseudo-label training found.</summary>
/// <param name="Round">From 1.</param>
/// <param name="Utterances">Utterances that were clustered.</param>
/// <param name="Measures">Of the clusters; see <see cref="MadeLabels"/>.</param>
/// <param name="EerBefore">EER of the model that made the labels; null without a trial list.</param>
/// <param name="Eer">EER of the trained model; null before it is trained and without a trial list.</param>
/// <param name="Steps">Steps trained.</param>
/// <param name="IsTrained">Whether the round is over.</param>
public sealed record RoundResult(
    int Round, int Utterances, IReadOnlyDictionary<string, double> Measures, double? EerBefore, double? Eer = null, long Steps = 0, bool IsTrained = false)
{
    /// <summary>All of it.</summary>
    public JsonObject ToJson()
    {
        var measures = new JsonObject();
        foreach (var (name, value) in Measures)
        {
            measures[name] = double.IsFinite(value) ? value : null;
        }

        return new JsonObject
        {
            ["round"] = Round,
            ["utterances"] = Utterances,
            ["clusters"] = measures,
            ["eerBefore"] = EerBefore,
            ["eer"] = Eer,
            ["steps"] = Steps,
            ["trained"] = IsTrained,
        };
    }

    internal void Write(string path) => AtomicFile.WriteText(path, ToJson().ToJsonString() + "\n");

    internal static RoundResult Read(string path)
    {
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(path))!;
            return new RoundResult(
                (int)json["round"]!,
                (int)json["utterances"]!,
                json["clusters"]!.AsObject().Where(m => m.Value is not null).ToDictionary(m => m.Key, m => (double)m.Value!, StringComparer.Ordinal),
                (double?)json["eerBefore"],
                (double?)json["eer"],
                (long)json["steps"]!,
                (bool)json["trained"]!);
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException or FormatException or IOException)
        {
            throw new DataFormatException($"{path} is not what a round writes: delete it and labels.csv beside it to have the round labelled again.", e);
        }
    }
}
