using System.CommandLine;
using System.Diagnostics;
using System.Security.Cryptography;
using Spk.Cli.Terminal;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Reports;

namespace Spk.Cli.Verbs;

/// <summary>Measures a trained model on a trial list.</summary>
internal sealed class EvalVerb : Verb
{
    private readonly Argument<string> _run = new("RUN") { Description = "Run folder, checkpoint or model file." };
    private readonly Option<string> _trials = CommonOptions.Trials("Trial list, VoxCeleb or Kaldi style.", required: true);
    private readonly Option<string> _data = CommonOptions.Data("Folder that the paths of the trials start from; default: the folder of the trial list.");
    private readonly Option<string> _manifest = new("--manifest")
    {
        Description = "Where the utterances of the trials are, when their ids are no paths; also gives the speakers for the intervals.",
        HelpName = "FILE",
    };

    private readonly Option<string> _checkpoint = new("--checkpoint")
    {
        Description = "Of a run folder: latest, best (lowest development EER) or a file.",
        HelpName = "latest|best|PATH",
        DefaultValueFactory = _ => "latest",
    };

    private readonly Option<string> _groupBy = CommonOptions.GroupBy();
    private readonly Option<bool> _resample = CommonOptions.Resample();
    private readonly Option<string> _channels = CommonOptions.Channels();
    private readonly ScoringOptions _scoring;
    private readonly Option<bool> _report = new("--report") { Description = "Write report.html into the run folder: curves, DET, score histograms, embedding map." };

    public EvalVerb() : base("eval", "Measure EER, minDCF and FRR at fixed FAR of a model on a trial list, by cosine of whole utterances, with intervals over speakers.")
    {
        Arguments.Add(_run);
        foreach (Option option in new Option[] { _trials, _data, _manifest, _checkpoint, _groupBy, _resample, _channels, _report })
        {
            Options.Add(option);
        }

        _scoring = new ScoringOptions(this, "Other speakers: a manifest to embed, or their embeddings by this model (X.npy, X.ark, X.scp).");
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk eval runs/first --trials corpus/trials.txt --data corpus --json",
        "spk eval runs/first --trials corpus/trials.txt --data corpus --checkpoint best --report",
        "spk eval runs/first --trials corpus/trials.txt --data corpus --norm as --cohort train.csv --top 300",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string run = options.GetRequiredValue(_run);
        string? data = options.GetValue(_data);
        string list = CommonOptions.Find(options.GetRequiredValue(_trials), data);
        if (options.GetValue(_report) && !Directory.Exists(run))
        {
            throw new InvalidOptionException($"--report writes into a run folder, but {run} is not one.");
        }

        string root = data ?? Path.GetDirectoryName(Path.GetFullPath(list))!;
        string? manifest = options.GetValue(_manifest) is { } file ? CommonOptions.Find(file, root) : null;
        var files = new CorpusOptions { Channels = CommonOptions.ToChannelPolicy(options.GetValue(_channels)), Resample = options.GetValue(_resample) };
        var trials = TrialSet.Open(list, root, manifest, files, new EvaluationOptions { GroupBy = options.GetValue(_groupBy) });
        string checkpoint = Checkpoint(run, options.GetValue(_checkpoint) ?? "latest");

        using var device = context.OpenDevice();
        var model = SpeakerModel.Load(checkpoint, device);
        var watch = Stopwatch.StartNew();
        var table = WorkDisplay.Run(context, "embedding", progress => trials.Embed(model, progress, context.Stop));
        var (scores, scoring, cohort) = _scoring.Score(
            options, trials.Trials.Trials, table, table, path => Cohort(path, root, model, files, context), new Lazy<Device>(device), context.Stop);
        var result = trials.Evaluate(scores, table, _scoring.Calibrated(options, scoring, cohort, model.ComputeIdentity()));
        var json = EvaluationText.ToJson(result);
        json["scoring"] = scoring;
        json["checkpoint"] = checkpoint;
        json["trialList"] = list;
        json["trialListSha256"] = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(list)));
        json["device"] = device.Name;
        json["seconds"] = watch.Elapsed.TotalSeconds;
        if (Directory.Exists(run))
        {
            var folder = new RunFolder(run);
            AtomicFile.WriteText(folder.Evaluation, json.ToJsonString() + "\n");
            ScoreFile.Write(folder.Scores, trials.Trials.Trials, result.Scores);
            context.Note($"wrote {folder.Evaluation} and {folder.Scores}");
            if (options.GetValue(_report))
            {
                var before = Scoring.Run(trials, model.Untrained(Seed(checkpoint)), context, out _);
                ReportField[] facts =
                [
                    new("Trials", list), new("Checkpoint", checkpoint), new("Device", device.Name), new("Scoring", $"{scoring}, whole utterances"),
                ];
                context.Note($"wrote {RunReport.Write(folder, before, result, table, facts, trials.SpeakerOf)}");
            }
        }

        context.Report(json, output => EvaluationText.Print(result, output));
        return ExitCode.Ok;
    }

    private static EmbeddingTable Cohort(string path, string root, SpeakerModel model, CorpusOptions files, CommandContext context)
    {
        string found = CommonOptions.Find(path, root);
        return Path.GetExtension(found) is ".npy" or ".ark" or ".scp"
            ? EmbeddingTable.Load(found)
            : WorkDisplay.Run(context, "embedding the cohort", progress =>
                EmbeddingExtractor.Run(model, Manifest.Load(found, root).Utterances, files, progress, context.Stop));
    }

    private static ulong Seed(string checkpoint)
    {
        using var file = SafetensorsFile.Open(checkpoint, verifyChecksum: false);
        return ulong.TryParse(file.Metadata.GetValueOrDefault("seed"), out ulong seed) ? seed : 1;
    }

    private static string Checkpoint(string run, string wanted)
    {
        if (!Directory.Exists(run))
        {
            return wanted is "latest" ? SpeakerModel.Resolve(run)
                : throw new InvalidOptionException($"--checkpoint {wanted} chooses within a run folder, but {run} is not one.");
        }

        var folder = new RunFolder(run);
        return wanted switch
        {
            "latest" => SpeakerModel.Resolve(run),
            "best" => File.Exists(folder.Best) ? folder.Best
                : throw new DataFormatException($"{run} has no best checkpoint: it needs development speakers (data.devSpeakers); use --checkpoint latest."),
            _ => SpeakerModel.Resolve(wanted),
        };
    }
}
