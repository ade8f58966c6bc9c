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
        output.WriteLine($"{"trials".PadRight(width)}  {"number",8}  {"EER",8}  {interval,-18}  {"minDCF 0.01",11}  {"minDCF 0.05",11}{Header()}");
        Row("all", result.Trials, result.Eer, result.EerInterval, result.MinDcf01, result.MinDcf05, result.FrrAtFar);
        if (result.Groups.Count > 1)
        {
            foreach (var group in result.Groups)
            {
                Row(group.Name, group.Trials, group.Eer, group.EerInterval, group.MinDcf01, group.MinDcf05, group.FrrAtFar);
            }
        }

        output.WriteLine(
            $"mean score {result.MeanCosineSame:F3} same speaker, {result.MeanCosineDifferent:F3} different; {result.Speakers} speakers; "
            + $"threshold at EER {result.Threshold:F3}");
        if (result.Calibration is { } calibration)
        {
            output.WriteLine(
                $"calibrated: Cllr {calibration.Cllr:F3} (at best {calibration.MinCllr:F3}), actDCF {calibration.ActualDcf01:F3} at 0.01, {calibration.ActualDcf05:F3} at 0.05; "
                + $"FAR {Screen.Percent(calibration.AtThreshold.Far)}, FRR {Screen.Percent(calibration.AtThreshold.Frr)} at the stored threshold {calibration.AtThreshold.Threshold:F3}");
        }

        // A column for each rate that the whole list can measure.
        string Header() => string.Concat(Measured().Select(i => $"  {$"FRR@{100 * result.FrrAtFar[i].Far:0.#}%FAR",12}"));

        IEnumerable<int> Measured() => Enumerable.Range(0, result.FrrAtFar.Count).Where(i => result.FrrAtFar[i].Frr is not null);

        void Row(string name, int trials, double? eer, Interval? ends, double? minDcf01, double? minDcf05, IReadOnlyList<FalseRejection> rejections) => output.WriteLine(
            $"{name.PadRight(width)}  {trials,8}  {Rate(eer),8}  {Range(ends),-18}  {Cost(minDcf01),11}  {Cost(minDcf05),11}"
            + string.Concat(Measured().Select(i => $"  {Rate(rejections[i].Frr),12}")));
    }

    private static string Rate(double? fraction) => fraction is { } f ? Screen.Percent(f) : "-";

    private static string Range(Interval? ends) => ends is { } e ? $"{100 * e.Low:F2} to {100 * e.High:F2} %" : "-";

    private static string Cost(double? cost) => cost is { } c ? $"{c:F3}" : "-";
}
