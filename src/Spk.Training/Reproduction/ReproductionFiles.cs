using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>The files that an experiment leaves: one page twice, as Markdown and as self-contained HTML, and all figures as JSON.</summary>
public static class ReproductionFiles
{
    private static readonly JsonSerializerOptions JsonFormat = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes NAME.md, NAME.html and NAME.json.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="findings">What was found.</param>
    /// <param name="command">The command that makes it again.</param>
    /// <returns>Paths of the Markdown, HTML and JSON file.</returns>
    /// <exception cref="SpkException">A file cannot be written.</exception>
    public static (string Markdown, string Html, string Json) Write(string folder, Findings findings, string command)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(findings);
        ArgumentNullException.ThrowIfNull(command);
        var page = ReproductionReport.Make(findings, command);
        string name = Path.Combine(folder, findings.Experiment.Name);
        AtomicFile.WriteText(name + ".md", page.ToMarkdown());
        AtomicFile.WriteText(name + ".html", page.ToHtml());
        AtomicFile.WriteText(name + ".json", ToJson(findings).ToJsonString(JsonFormat) + "\n");
        return (name + ".md", name + ".html", name + ".json");
    }

    /// <summary>All figures; rates are fractions, what could not be measured is null.</summary>
    /// <param name="findings">What was found.</param>
    public static JsonObject ToJson(Findings findings)
    {
        ArgumentNullException.ThrowIfNull(findings);
        return new JsonObject
        {
            ["experiment"] = findings.Experiment.Name,
            ["paper"] = findings.Experiment.Paper,
            ["corpora"] = Array(findings.Corpora, corpus => new JsonObject
            {
                ["name"] = corpus.Corpus.Name,
                ["voices"] = corpus.Voices,
                ["recipe"] = corpus.Corpus.Recipe,
                ["claims"] = Array(corpus.Claims, ToJson),
                ["reductions"] = Array(findings.Experiment.Reductions, grid => new JsonObject
                {
                    ["title"] = grid.Title,
                    ["columns"] = Array(grid.Columns, c => JsonValue.Create(c)),
                    ["rows"] = Array(grid.Rows, row => new JsonObject
                    {
                        ["title"] = row.Title,
                        ["values"] = Array(row.Cells, c => JsonValue.Create(Number(corpus.Reduction(c)))),
                    }),
                }),
                ["recoveredGains"] = Array(corpus.Gains, found => new JsonObject
                {
                    ["system"] = found.System.Name,
                    ["measure"] = found.Measure.Key,
                    ["share"] = Number(found.Gain.Share),
                    ["interval"] = ToJson(found.Gain.Interval),
                    ["bootstrapDraws"] = found.Gain.BootstrapDraws,
                }),
                ["grid"] = corpus.Grid is { } grid ? ToJson(grid) : null,
                ["systems"] = Array(corpus.Systems, system => new JsonObject
                {
                    ["name"] = system.System.Name,
                    ["overrides"] = Array(system.System.Overrides, o => JsonValue.Create(o)),
                    ["continues"] = system.System.Continues,
                    ["fineTunes"] = system.System.FineTunes,
                    ["runs"] = Array(system.Runs, ToJson),
                }),
            }),
        };
    }

    private static JsonObject ToJson(ClaimFindings found) => new()
    {
        ["claim"] = found.Claim.Statement,
        ["measure"] = found.Claim.Measure.Key,
        ["systems"] = Array(found.Claim.Systems, s => JsonValue.Create(s)),
        ["than"] = Array(found.Claim.Than, s => JsonValue.Create(s)),
        ["limit"] = found.Claim.HasLimit ? found.Claim.Limit : null,
        ["recoveredGain"] = found.Claim.IsGain,
        ["claimed"] = found.Claim.IsLower ? "lower" : "higher",
        ["verdict"] = found.Verdict.ToText(),
        ["value"] = Number(found.Value),
        ["reference"] = Number(found.Reference),
        ["difference"] = Number(found.Value - found.Reference),
        ["interval"] = ToJson(found.Interval),
        ["shareLower"] = found.Comparison?.ShareSecondLower,
        ["confidence"] = found.Comparison?.Confidence,
        ["seeds"] = Array(found.Seeds, s => new JsonObject
        {
            ["seed"] = s.Seed,
            ["value"] = Number(s.Value),
            ["reference"] = Number(s.Reference),
            ["difference"] = Number(s.Difference),
            ["interval"] = ToJson(s.Interval),
        }),
        ["sources"] = Array(found.Groups, g => new JsonObject
        {
            ["name"] = g.Name,
            ["value"] = Number(g.Comparison.Second),
            ["reference"] = Number(g.Comparison.First),
            ["difference"] = Number(g.Comparison.Difference),
            ["interval"] = ToJson(g.Comparison.Interval),
            ["verdict"] = g.Verdict.ToText(),
        }),
    };

    private static JsonObject ToJson(GridFindings found) => new()
    {
        ["columns"] = Array(found.Grid.Columns, c => JsonValue.Create(c)),
        ["rows"] = Array(found.Rows, r => new JsonObject { ["row"] = r.Row, ["seed"] = r.Seed, ["eer"] = Array(r.Eers, e => JsonValue.Create(Number(e))) }),
        ["correlations"] = Array(found.Correlations, table => new JsonObject
        {
            ["rows"] = table.Title,
            ["count"] = table.Rows,
            ["targets"] = Array(table.Targets, t => JsonValue.Create(t)),
            ["measures"] = Array(found.Grid.Predictors.Select((p, i) => (p, table.Table[i])), row => new JsonObject
            {
                ["measure"] = row.p.Key,
                ["r"] = Array(row.Item2, c => JsonValue.Create(Number(c.Value))),
                ["intervals"] = Array(row.Item2, c => ToJson(c.Interval)),
            }),
        }),
        ["claims"] = Array(found.Claims, c => new JsonObject
        {
            ["claim"] = c.Claim.Statement,
            ["verdict"] = c.Verdict.ToText(),
            ["difference"] = Number(c.Value),
            ["interval"] = ToJson(c.Interval),
            ["rows"] = c.Rows,
        }),
    };

    private static JsonObject ToJson(RunFindings run)
    {
        var json = new JsonObject { ["seed"] = run.Run.Seed };
        foreach (var (name, value) in run.Scores)
        {
            json[name] = Number(value);
        }

        json["eerInterval"] = ToJson(run.Evaluation.EerInterval);
        json["falseNegativeTrials"] = (int)Math.Round(run.Scores[Measure.FalseNegatives.Key] * run.Evaluation.Targets);
        json["falsePositiveTrials"] = (int)Math.Round(run.Scores[Measure.FalsePositives.Key] * (run.Evaluation.Trials - run.Evaluation.Targets));
        json["steps"] = run.Figures.Steps;
        json["seconds"] = run.Figures.Seconds;
        json["utterancesPerSecond"] = run.Figures.UtterancesPerSecond;
        json["device"] = run.Figures.Device;
        var quantities = new JsonObject();
        foreach (var (name, value) in run.Figures.Quantities)
        {
            quantities[name] = Number(value);
        }

        json["quantities"] = quantities;
        return json;
    }

    private static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode?> make) => new([.. items.Select(make)]);

    private static JsonArray? ToJson(Interval? interval) => interval is { } ends ? new JsonArray(ends.Low, ends.High) : null;

    // JSON has no NaN.
    private static double? Number(double value) => double.IsFinite(value) ? value : null;
}
