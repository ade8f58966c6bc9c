using System.Globalization;
using System.Text.Json.Nodes;

namespace Spk.Cli.Terminal;

/// <summary>A clustering as people read it.</summary>
internal static class ClusterText
{
    /// <summary>Writes the figures of a clustering.</summary>
    /// <param name="json">What scripts get.</param>
    /// <param name="time">How long it took.</param>
    /// <param name="writer">Where to.</param>
    public static void Print(JsonObject json, TimeSpan time, TextWriter writer)
    {
        foreach (var point in json["sweep"]?.AsArray() ?? [])
        {
            var row = point!.AsObject();
            writer.WriteLine($"K = {row["k"],-6} {string.Join("   ", row.Skip(1).Select(figure => $"{figure.Key} {Text(figure.Value),-8}")).TrimEnd()}");
        }

        int clusters = (int)json["clusters"]!;
        writer.WriteLine($"{json["rows"]} rows of size {json["dimension"]} in {clusters} cluster{(clusters == 1 ? "" : "s")}, {Screen.Duration(time)}");
        if (json["iterations"] is { } iterations)
        {
            var (name, value) = json["inertia"] is { } inertia ? ("inertia", inertia) : ("mean log-likelihood", json["logLikelihood"]!);
            string of = json["centroidsFirst"] is { } first ? $" of {first} clusters that were joined" : "";
            writer.WriteLine($"{name} {Text(value)}{of} after {iterations} iterations ({json["stop"]})");
        }

        foreach (var (name, value) in json["metrics"]!.AsObject())
        {
            writer.WriteLine($"{name,-18} {Text(value)}");
        }

        if (json["out"] is { } path)
        {
            writer.WriteLine($"Labels: {path}");
        }
    }

    private static string Text(JsonNode? value) =>
        value is null ? "" : value.AsValue().TryGetValue(out double number) ? number.ToString("G6", CultureInfo.InvariantCulture) : value.ToString();
}
