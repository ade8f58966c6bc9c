using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Alignment;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Alignment;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Reports;

namespace Spk.Cli.Verbs;

/// <summary>Measures what aligners recover of a new model's gain on old profiles.</summary>
internal sealed class AlignEvalVerb : Verb
{
    private readonly TwoModels _models;
    private readonly Option<string[]> _aligners = new("--aligner")
    {
        Description = "Files of 'spk align train' for these two models; may be repeated, or take several.",
        HelpName = "FILE",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string> _trials = CommonOptions.Trials("Trial list, VoxCeleb or Kaldi style, of speakers that no aligner was learnt from.", required: true);
    private readonly Option<string> _profiles = new("--profiles")
    {
        Description = "Enrolments of several utterances, a line each: 'profile utterance utterance ...'; trials then name profiles.",
        HelpName = "FILE",
    };

    private readonly Option<string> _data = CommonOptions.Data("Folder that the paths of the trials start from; default: the folder of the trial list.");
    private readonly Option<string> _manifest = new("--manifest") { Description = "Where the utterances are, when their ids are no paths; also gives the speakers for the intervals.", HelpName = "FILE" };
    private readonly Option<string> _out = CommonOptions.Out("Write alignment.html and alignment.json into this folder.", "DIR", required: false);
    private readonly Option<string> _calibration = new("--calibration")
    {
        Description = "With one aligner: learn the threshold of old enrolments and new recordings from these trials, for a verifier with this aligner.",
        HelpName = "FILE.json",
    };

    private readonly Option<double> _far = new("--far") { Description = "With --calibration: false acceptance rate of the threshold, a fraction.", HelpName = "X", DefaultValueFactory = _ => 0.01 };

    public AlignEvalVerb() : base("eval", "Compare the old model, the new one, and old enrolments with new recordings through aligners: EER, FRR at fixed FAR, recovered gain.")
    {
        _models = new TwoModels(this);
        foreach (Option option in new Option[] { _aligners, _trials, _profiles, _data, _manifest, _out, _calibration, _far })
        {
            Options.Add(option);
        }

        Validators.Add(result =>
        {
            if (result.GetValue(_calibration) is not null && result.GetValue(_aligners) is { Length: not 1 })
            {
                result.AddError("--calibration belongs to one aligner: give one --aligner.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk align eval runs/old runs/new --aligner aligner.safetensors --trials corpus/trials.txt --data corpus",
        "spk align eval runs/old runs/new --aligner a.safetensors b.safetensors c.safetensors --trials corpus/trials.txt --data corpus --out report",
        "spk align eval runs/old runs/new --aligner aligner.safetensors --trials dev-trials.txt --data corpus --far 0.01 --calibration calibration.json",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string? data = options.GetValue(_data);
        string list = CommonOptions.Find(options.GetRequiredValue(_trials), data), root = data ?? Path.GetDirectoryName(Path.GetFullPath(list))!;
        string[] files = options.GetRequiredValue(_aligners);
        KeyValuePair<string, Aligner>[] aligners = [.. files.Select(f => KeyValuePair.Create(Path.GetFileNameWithoutExtension(f), Aligner.Load(f)))];
        if (aligners.GroupBy(a => a.Key).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new InvalidOptionException($"--aligner names two files called '{twice.Key}': rename one, so that the table can tell them apart.");
        }

        var trials = TrialList.Read(list);
        var profiles = options.GetValue(_profiles) is { } path ? EnrolmentList.Read(path) : null;
        var manifest = options.GetValue(_manifest) is { } named ? Manifest.Load(CommonOptions.Find(named, root), root).Utterances.ToDictionary(u => u.Id, StringComparer.Ordinal) : null;
        var (old, newer) = _models.Embed(options, context, () => Locate(trials, profiles, manifest, root));
        for (int i = 0; i < files.Length; i++)
        {
            aligners[i].Value.RequirePair(old.Identity, newer.Identity, files[i]);
        }

        var evaluation = new EvaluationOptions { SpeakerOf = SpeakerOf(profiles, manifest) };
        var systems = AlignmentEvaluation.Run(trials.Trials, Tables(old.Table), Tables(newer.Table), aligners, evaluation);
        var json = new JsonObject { ["systems"] = AlignmentReport.ToJson(systems) };
        if (options.GetValue(_out) is { } folder)
        {
            ReportField[] facts =
            [
                new("Old model", $"{old.Path}, {old.Identity[..12]}"), new("New model", $"{newer.Path}, {newer.Identity[..12]}"), new("Trials", list),
                .. aligners.Select((a, i) => new ReportField($"Aligner {a.Key}", $"{files[i]}, {a.Value.Variant}")),
            ];
            CommonOptions.RequireFolder(Path.Combine(folder, "alignment.html"));
            (string html, _) = AlignmentReport.Write(folder, systems, facts);
            context.Note($"wrote {html}");
            json["html"] = html;
        }

        if (options.GetValue(_calibration) is { } calibration)
        {
            Calibrate(systems.First(s => s.Aligner is not null && s.TestedWithNew).Result, aligners[0].Value, options.GetValue(_far)).Save(calibration);
            context.Note($"wrote {calibration}");
            json["calibration"] = calibration;
        }

        context.Report(json, output => Print(systems, output));
        return ExitCode.Ok;

        ModelEmbeddings Tables(EmbeddingTable table) => new(profiles is null ? table : table.Means(profiles), table);
    }

    private static Calibration Calibrate(EvaluationResult result, Aligner aligner, double far)
    {
        float[] scores = [.. result.Scores];
        bool[] labels = [.. result.Labels];
        return Calibration.Fit(scores, labels) with
        {
            Threshold = result.Metrics.ThresholdAtFar(far).Threshold,
            Rule = FormattableString.Invariant($"FAR {far} on {result.Trials} trials"),
            Scoring = aligner.Scoring,
            Model = aligner.Runtime.Identity,
        };
    }

    private static List<Utterance> Locate(
        TrialList trials, IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>>? profiles, Dictionary<string, Utterance>? manifest, string root)
    {
        var names = profiles?.ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);
        var utterances = new List<Utterance>();
        foreach (string id in trials.Trials.SelectMany(t => Members(t.Enrolment).Append(t.Test)).Distinct(StringComparer.Ordinal))
        {
            string path = Path.GetFullPath(Path.Combine(root, id));
            utterances.Add(manifest is null
                ? File.Exists(path)
                    ? new Utterance(id, path)
                    : throw new DataFormatException($"{path} does not exist: give the folder that the paths of {trials.Source} start from (--data), or a manifest where its ids are no paths (--manifest).")
                : manifest.TryGetValue(id, out var known) ? known : throw new DataFormatException($"the manifest does not hold the utterance '{id}' of {trials.Source}: add it."));
        }

        return utterances;

        IEnumerable<string> Members(string enrolment) => names is null
            ? [enrolment]
            : names.TryGetValue(enrolment, out var members) ? members : throw new DataFormatException($"the trial list {trials.Source} names the profile '{enrolment}', which --profiles does not list.");
    }

    // A profile is of the speaker of its first utterance.
    private static Func<string, string> SpeakerOf(IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>>? profiles, Dictionary<string, Utterance>? manifest)
    {
        var first = profiles?.ToDictionary(p => p.Key, p => p.Value[0], StringComparer.Ordinal);
        return id =>
        {
            string utterance = first?.GetValueOrDefault(id) ?? id;
            return manifest?.GetValueOrDefault(utterance)?.Speaker ?? SpeakerFolders.Speaker(utterance);
        };
    }

    private static void Print(IReadOnlyList<AlignedSystem> systems, TextWriter output)
    {
        int[] measured = [.. Enumerable.Range(0, FalseRejection.Reported.Count).Where(i => systems[0].Result.FrrAtFar[i].Frr is not null)];
        int width = Math.Max(7, systems.Max(s => s.Aligner?.Length ?? 0));
        output.WriteLine($"{"system",-26}  {"aligner".PadRight(width)}  {"EER",8}{string.Concat(measured.Select(i => $"  {$"FRR@{100 * FalseRejection.Reported[i]:0}%FAR",11}"))}");
        foreach (var system in systems)
        {
            output.WriteLine(
                $"{system.Name,-26}  {(system.Aligner ?? "-").PadRight(width)}  {Screen.Percent(system.Result.Eer),8}"
                + string.Concat(measured.Select(i => $"  {Screen.Percent(system.Result.FrrAtFar[i].Frr!.Value),11}")));
        }

        output.WriteLine();
        output.WriteLine($"{"recovered gain",-26}  {"aligner".PadRight(width)}{string.Concat(measured.Select(i => $"  {$"at {100 * FalseRejection.Reported[i]:0} % FAR",-24}"))}");
        foreach (var system in systems.Where(s => s.Gains.Count > 0))
        {
            output.WriteLine($"{system.Name,-26}  {system.Aligner!.PadRight(width)}{string.Concat(measured.Select(i => $"  {Text(system.Gains[i]),-24}"))}".TrimEnd());
        }
    }

    private static string Text(RecoveredGain? gain) => gain is null || double.IsNaN(gain.Share)
        ? "-"
        : $"{100 * gain.Share:F0} %" + (gain.Interval is { } ends ? $" ({100 * ends.Low:F0} to {100 * ends.High:F0} %)" : "");
}
