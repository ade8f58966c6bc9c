using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Training;

namespace Spk.Cli.Terminal;

/// <summary>Shows where the time of training steps went.</summary>
internal static class ProfileText
{
    /// <summary>Milliseconds a step and shares, by stage.</summary>
    public static void Print(StepProfile profile, TextWriter output)
    {
        double total = profile.TotalSeconds;
        output.WriteLine();
        output.WriteLine($"{"stage",-14}{"ms/step",10}{"share",9}");
        foreach (var stage in Enum.GetValues<StepStage>())
        {
            double seconds = profile.Seconds(stage);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{stage.ToString().ToLowerInvariant(),-14}{1000 * seconds / Math.Max(1, profile.Steps - 1),10:F2}{100 * seconds / total,7:F1} %"));
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"all",-14}{1000 * total / Math.Max(1, profile.Steps - 1),10:F2}"));
    }

    /// <summary>Seconds by stage.</summary>
    public static JsonObject ToJson(StepProfile profile)
    {
        var json = new JsonObject { ["steps"] = Math.Max(0, profile.Steps - 1) };
        foreach (var stage in Enum.GetValues<StepStage>())
        {
            string name = stage.ToString();
            json[char.ToLowerInvariant(name[0]) + name[1..] + "Seconds"] = profile.Seconds(stage);
        }

        return json;
    }
}
