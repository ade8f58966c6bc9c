using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Training.Evaluation;

namespace Spk.Cli.Terminal;

/// <summary>Error rates as people read them, and as scripts do.</summary>
internal static class EvaluationText
{
    public static JsonObject ToJson(EvaluationResult result) => JsonNode.Parse(result.ToJson())!.AsObject();

    public static void Print(EvaluationResult result, TextWriter output)
    {
        string interval = string.Create(CultureInfo.InvariantCulture, $"{100 * result.Confidence:0.#} % interval");
        int width = Math.Max(5, result.Groups.Select(g => g.Name.Length).DefaultIfEmpty(0).Max());
        output.WriteLine($"{"trials".PadRight(width)}  {"number",8}  {"EER",8}  {interval,-18}  {"minDCF 0.01",11}  {"minDCF 0.05",11}");
        Row("all", result.Trials, result.Eer, result.EerInterval, result.MinDcf01, result.MinDcf05);
        if (result.Groups.Count > 1)
        {
            foreach (var group in result.Groups)
            {
                Row(group.Name, group.Trials, group.Eer, group.EerInterval, group.MinDcf01, group.MinDcf05);
            }
        }

        output.WriteLine(
            $"mean cosine {result.MeanCosineSame:F3} same speaker, {result.MeanCosineDifferent:F3} different; {result.Speakers} speakers; "
            + $"threshold at EER {result.Threshold:F3}");

        void Row(string name, int trials, double? eer, Interval? ends, double? minDcf01, double? minDcf05) => output.WriteLine(
            $"{name.PadRight(width)}  {trials,8}  {Rate(eer),8}  {Range(ends),-18}  {Cost(minDcf01),11}  {Cost(minDcf05),11}");
    }

    private static string Rate(double? fraction) => fraction is { } f ? Screen.Percent(f) : "-";

    private static string Range(Interval? ends) => ends is { } e ? $"{100 * e.Low:F2} to {100 * e.High:F2} %" : "-";

    private static string Cost(double? cost) => cost is { } c ? $"{c:F3}" : "-";
}
