using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>Reports every problem of a corpus at once, before anything runs.</summary>
internal sealed class DataCheckVerb : Verb
{
    private readonly Argument<string> _manifest = new("MANIFEST") { Description = "CSV, Kaldi directory or folder of WAV files." };
    private readonly Option<string> _data = CommonOptions.Data();
    private readonly Option<string> _trials = CommonOptions.Trials("Trial list whose utterances must be there.");
    private readonly Option<string> _evaluation = new("--eval")
    {
        Description = "Evaluation manifest: checked too, and its speakers must not be in MANIFEST. The trials then belong to it.",
        HelpName = "MANIFEST",
    };

    private readonly Option<string> _dialogues = new("--dialogues") { Description = "List of dialogues (sessions.csv) whose utterances must be in MANIFEST.", HelpName = "FILE" };

    private readonly Option<int> _sampleRate = CommonOptions.SampleRate();
    private readonly Option<bool> _resample = CommonOptions.Resample();
    private readonly Option<string> _channels = CommonOptions.Channels();
    private readonly Option<string> _format = CommonOptions.Format();
    private readonly Option<double> _minimum = new("--min-seconds")
    {
        Description = "Shortest usable utterance, seconds.",
        HelpName = "S",
        DefaultValueFactory = _ => 0.1,
    };

    private readonly Option<bool> _speakers = new("--require-speakers") { Description = "An utterance without a speaker is an error, as for supervised training." };

    private readonly Option<int> _show = new("--show")
    {
        Description = "Problems listed of each kind; 0 for all.",
        HelpName = "N",
        DefaultValueFactory = _ => 10,
    };

    public DataCheckVerb() : base("check", "Report every problem of a corpus at once: files, rates, lengths, lists, trials. Exit code 3 when there are any.")
    {
        Arguments.Add(_manifest);
        foreach (Option option in new Option[] { _data, _trials, _evaluation, _dialogues, _sampleRate, _resample, _channels, _format, _minimum, _speakers, _show })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk data check corpus/train.csv --data corpus",
        "spk data check corpus/train.csv --eval corpus/eval.csv --trials corpus/trials.txt --data corpus --json",
        "spk data check corpus/train.csv --dialogues corpus/sessions.csv --data corpus",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string? root = options.GetValue(_data);
        string manifest = CommonOptions.Find(options.GetRequiredValue(_manifest), root);
        var check = new DataCheckOptions
        {
            SampleRate = options.GetValue(_resample) ? 0 : options.GetValue(_sampleRate),
            MinimumSeconds = options.GetValue(_minimum),
            Channels = CommonOptions.ToChannelPolicy(options.GetValue(_channels)),
            RequireSpeakers = options.GetValue(_speakers),
            Root = root,
            Format = CommonOptions.ToManifestFormat(options.GetValue(_format)),
            EvaluationManifest = options.GetValue(_evaluation) is { } evaluation ? CommonOptions.Find(evaluation, root) : null,
            Dialogues = options.GetValue(_dialogues) is { } dialogues ? CommonOptions.Find(dialogues, root) : null,
            Trials = options.GetValue(_trials) is { } trials ? CommonOptions.Find(trials, root) : null,
        };
        var report = WorkDisplay.Run(context, "checking", progress => DataCheck.Run(manifest, check, progress, context.Stop));
        context.Report(ToJson(report), output => Print(report, output, options.GetValue(_show)));
        return report.HasErrors ? ExitCode.DataProblems : ExitCode.Ok;
    }

    private static void Print(DataCheckReport report, TextWriter output, int show)
    {
        foreach (var kind in report.Counts)
        {
            var problems = report.Problems.Where(p => p.Kind == kind.Key).ToArray();
            output.WriteLine($"{(problems.Any(p => p.IsError) ? "error" : "note")}: {Words(kind.Key)} ({kind.Value})");
            foreach (var problem in problems.Take(show <= 0 ? int.MaxValue : show))
            {
                output.WriteLine($"  {problem.Message}");
            }

            if (show > 0 && problems.Length > show)
            {
                output.WriteLine($"  and {problems.Length - show} more (--show 0 lists all)");
            }
        }

        foreach (var part in report.Summaries)
        {
            output.WriteLine(
                $"{part.Manifest}: {part.Utterances} utterances of {part.Speakers} speakers, {part.Readable} readable, {part.Hours:F2} h, "
                + $"{part.ShortestSeconds:F1} to {part.LongestSeconds:F1} s (median {part.MedianSeconds:F1} s)");
        }

        output.WriteLine(report.HasErrors ? "Problems found." : "No problems.");
    }

    private static JsonObject ToJson(DataCheckReport report) => new()
    {
        ["ok"] = !report.HasErrors,
        ["counts"] = new JsonObject(report.Counts.Select(c => KeyValuePair.Create(CamelCase(c.Key.ToString()), (JsonNode?)c.Value))),
        ["problems"] = new JsonArray([.. report.Problems.Select(p => (JsonNode)new JsonObject
        {
            ["kind"] = CamelCase(p.Kind.ToString()),
            ["subject"] = p.Subject,
            ["message"] = p.Message,
            ["error"] = p.IsError,
        })]),
        ["manifests"] = new JsonArray([.. report.Summaries.Select(s => (JsonNode)new JsonObject
        {
            ["manifest"] = s.Manifest,
            ["speakers"] = s.Speakers,
            ["utterances"] = s.Utterances,
            ["readable"] = s.Readable,
            ["hours"] = s.Hours,
            ["shortestSeconds"] = s.ShortestSeconds,
            ["medianSeconds"] = s.MedianSeconds,
            ["longestSeconds"] = s.LongestSeconds,
        })]),
    };

    // WrongSampleRate becomes "wrong sample rate".
    private static string Words(DataProblemKind kind) =>
        string.Concat(kind.ToString().Select((c, i) => char.IsUpper(c) && i > 0 ? $" {char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));

    private static string CamelCase(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
