using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Training.Evaluation;

namespace Spk.Cli.Verbs;

/// <summary>Learns from labelled trials what a score means, and where to draw the line.</summary>
internal sealed class CalibrateVerb : Verb
{
    private readonly StoredTrials _trials;
    private readonly Option<string> _out = CommonOptions.Out("Where the calibration goes.", "FILE.json");
    private readonly Option<string> _model = new("--model") { Description = "Model that made the embeddings: the calibration is then refused with any other.", HelpName = "MODEL" };
    private readonly Option<double?> _far = new("--far") { Description = "Choose the threshold for this false acceptance rate on these trials, a fraction.", HelpName = "X" };
    private readonly Option<double?> _prior = new("--prior")
    {
        Description = "Choose the threshold, and fit the line, for this probability of a target trial. Default: equal error rates.",
        HelpName = "P",
    };

    private readonly Option<double> _missCost = Cost("--miss-cost", "With --prior: cost of rejecting a target.");
    private readonly Option<double> _falseAlarmCost = Cost("--false-alarm-cost", "With --prior: cost of accepting a non-target.");

    public CalibrateVerb() : base("calibrate", "Turn scores into log-likelihood ratios and choose a decision threshold, from labelled trials of development speakers.")
    {
        _trials = new StoredTrials(this, calibration: false);
        foreach (Option option in new Option[] { _out, _model, _far, _prior, _missCost, _falseAlarmCost })
        {
            Options.Add(option);
        }

        Validators.Add(result =>
        {
            if (result.GetValue(_far) is not null && result.GetValue(_prior) is not null)
            {
                result.AddError("--far and --prior both choose the threshold: give one of them.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk calibrate dev.npy --trials dev-trials.txt --model runs/first --far 0.01 --out runs/first/calibration.json",
        "spk calibrate dev.npy --all-pairs --prior 0.05 --out calibration.json",
        "spk calibrate dev.npy --trials dev-trials.txt --model runs/first --norm as --cohort train.npy --cohort-by speaker --out runs/first/calibration.json",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string path = options.GetRequiredValue(_out);
        string? model = options.GetValue(_model) is { } file ? Identity(file) : null;
        var scored = _trials.Score(options, context, model);
        bool[] labels = [.. scored.Trials.Trials.Select(t => t.IsTarget)];
        var ranked = RankedTrials.Rank(scored.Scores, labels);
        double? prior = options.GetValue(_prior);
        var cost = new DetectionCost(prior ?? 0.5, options.GetValue(_missCost), options.GetValue(_falseAlarmCost));
        var fitted = Calibration.Fit(scored.Scores, labels, prior ?? 0.5) with { Scoring = scored.Scoring, Cohort = scored.Cohort?.Identity, Model = model };
        var calibration = options.GetValue(_far) is { } far
            ? fitted with { Threshold = VerificationMetrics.Compute(ranked).ThresholdAtFar(far).Threshold, Rule = FormattableString.Invariant($"FAR {far} on {ranked.Count} trials") }
            : prior is null ? fitted : fitted.WithThreshold(cost);
        var result = CalibrationResult.Of(calibration, ranked);
        string? cohort = scored.Cohort is null ? null : Calibration.CohortPath(path);
        if (cohort is not null)
        {
            // The cohort first: a calibration never lies there without the cohort it names.
            scored.Cohort!.Save(cohort);
        }

        calibration.Save(path);

        var json = JsonNode.Parse(calibration.ToJson())!.AsObject();
        json["out"] = path;
        json["cohortOut"] = cohort;
        json["cllr"] = result.Cllr;
        json["minCllr"] = result.MinCllr;
        json["far"] = result.AtThreshold.Far;
        json["frr"] = result.AtThreshold.Frr;
        context.Report(json, output =>
        {
            output.WriteLine($"{path}: log-likelihood ratio = {calibration.Scale:G4} * score {(calibration.Offset < 0 ? '-' : '+')} {Math.Abs(calibration.Offset):G4}; scores are {calibration.Scoring}");
            output.WriteLine($"threshold {calibration.Threshold:F4} ({calibration.Rule}): FAR {100 * result.AtThreshold.Far:F2} %, FRR {100 * result.AtThreshold.Frr:F2} % on these trials");
            output.WriteLine($"Cllr {result.Cllr:F4}, at best {result.MinCllr:F4} bits; {calibration.Targets} target and {calibration.NonTargets} non-target trials");
            if (cohort is not null)
            {
                output.WriteLine($"{cohort}: the {scored.Cohort!.Count} embeddings of the cohort; keep it beside the calibration");
            }
        });
        return ExitCode.Ok;
    }

    private static string Identity(string path)
    {
        using var device = new CpuDevice(1);
        return SpeakerModel.Load(path, device).ComputeIdentity();
    }

    private static Option<double> Cost(string name, string description) => new(name) { Description = description, HelpName = "X", DefaultValueFactory = _ => 1 };
}
