using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Models;
using Spk.Training.Evaluation;
using Spk.Training.Reports;

namespace Spk.Training.Alignment;

/// <summary>What <see cref="AlignmentEvaluation"/> found, as a self-contained page and as JSON.</summary>
public static class AlignmentReport
{
    private const string Dash = "–";

    private static readonly JsonSerializerOptions JsonFormat = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes alignment.html and alignment.json.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="systems">What was found.</param>
    /// <param name="facts">Lines about the models, trials and aligners.</param>
    /// <returns>Paths of the page and of the JSON file.</returns>
    /// <exception cref="Spk.Interop.SpkException">A file cannot be written.</exception>
    public static (string Html, string Json) Write(string folder, IReadOnlyList<AlignedSystem> systems, IReadOnlyList<ReportField> facts)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(systems);
        ArgumentNullException.ThrowIfNull(facts);
        string html = Path.Combine(folder, "alignment.html"), json = Path.Combine(folder, "alignment.json");
        AtomicFile.WriteText(html, Page(systems, facts).ToHtml());
        AtomicFile.WriteText(json, new JsonObject { ["systems"] = ToJson(systems) }.ToJsonString(JsonFormat) + "\n");
        return (html, json);
    }

    /// <summary>All figures, a line a system; rates are fractions, what could not be measured is null.</summary>
    /// <param name="systems">What was found.</param>
    public static JsonArray ToJson(IReadOnlyList<AlignedSystem> systems)
    {
        ArgumentNullException.ThrowIfNull(systems);
        return new JsonArray([.. systems.Select(system =>
        {
            var json = new JsonObject
            {
                ["enrolment"] = system.EnrolledWithNew ? "new" : "old",
                ["runtime"] = system.TestedWithNew ? "new" : "old",
                ["aligner"] = system.Aligner,
                ["recoveredGain"] = new JsonArray([.. system.Gains.Select((gain, i) => (JsonNode)new JsonObject
                {
                    ["far"] = FalseRejection.Reported[i],
                    ["share"] = gain is { Share: var share } && double.IsFinite(share) ? share : null,
                    ["interval"] = gain?.Interval is { } ends ? new JsonArray(ends.Low, ends.High) : null,
                    ["bootstrapDraws"] = gain?.BootstrapDraws,
                })]),
            };
            foreach (var (name, value) in JsonNode.Parse(system.Result.ToJson())!.AsObject())
            {
                json[name] = value?.DeepClone();
            }

            return (JsonNode)json;
        })]);
    }

    private static ReportDocument Page(IReadOnlyList<AlignedSystem> systems, IReadOnlyList<ReportField> facts)
    {
        var page = new ReportDocument("Two models, one set of profiles", "Enrolments of an old model compared with recordings embedded by a new one");
        var any = systems[0].Result;
        page.Section("Error rates").Paragraph($"{Format.Whole(any.Trials)} trials, {Format.Whole(any.Targets)} of them of one speaker, {Format.Whole(any.Speakers)} speakers.");
        string confidence = $"{Format.Percent(any.Confidence, 0)} interval";
        page.Table(
            ["system", "aligner", "EER", confidence, .. any.FrrAtFar.Select(f => $"FRR at FAR {Format.Percent(f.Far, 0)}")],
            [
                .. systems.Select(s => (IReadOnlyList<ReportCell>)
                [
                    s.Name,
                    s.Aligner ?? (s.EnrolledWithNew == s.TestedWithNew ? Dash : "none"),
                    ReportCell.Number(Format.Percent(s.Result.Eer, 2)),
                    ReportCell.Number(s.Result.EerInterval is { } ends ? Format.Percent(ends) : Dash),
                    .. s.Result.FrrAtFar.Select(f => ReportCell.Number(f.Frr is { } frr ? Format.Percent(frr, 2) : Dash)),
                ]),
            ]);
        AlignedSystem[] aligned = [.. systems.Where(s => s.Gains.Count > 0)];
        if (aligned.Length > 0)
        {
            page.Section("Recovered gain").Table(
                ["system", "aligner", .. FalseRejection.Reported.Select(far => $"at FAR {Format.Percent(far, 0)}")],
                [.. aligned.Select(s => (IReadOnlyList<ReportCell>)[s.Name, s.Aligner!, .. s.Gains.Select(g => ReportCell.Number(Text(g)))])]);
            page.Paragraph(
                "(FRR old − FRR asymmetric) / (FRR old − FRR new), each system at its own threshold: 100 % is as good as the new model on both sides. "
                + "Intervals: bootstrap over speakers; draws in which the new model is no better than the old one are left out.",
                quiet: true);
        }

        page.Section("About").Table(["", ""], [.. facts.Select(f => (IReadOnlyList<ReportCell>)[f.Name, f.Value])]);
        (string, EvaluationResult)[] curves = [.. systems.Where(s => s.Aligner is null || !s.EnrolledWithNew).Select(s => (s.Aligner is null ? s.Name : $"{s.Name}, {s.Aligner}", s.Result))];
        page.Figures(Figures.DetOverlay(curves));
        return page;
    }

    private static string Text(RecoveredGain? gain) => gain is null || double.IsNaN(gain.Share)
        ? Dash
        : Format.Percent(gain.Share, 0) + (gain.Interval is { } ends ? $" ({Format.Percent(ends.Low, 0)} to {Format.Percent(ends.High, 0)})" : "");
}
