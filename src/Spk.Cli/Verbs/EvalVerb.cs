using System.CommandLine;
using System.Diagnostics;
using System.Security.Cryptography;
using Spk.Cli.Terminal;
using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
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
    private readonly Option<bool> _report = new("--report") { Description = "Write report.html into the run folder: curves, DET, score histograms, embedding map." };

    public EvalVerb() : base("eval", "Measure EER and minDCF of a model on a trial list, by cosine of whole utterances, with intervals over speakers.")
    {
        Arguments.Add(_run);
        foreach (Option option in new Option[] { _trials, _data, _manifest, _checkpoint, _groupBy, _resample, _channels, _report })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk eval runs/first --trials corpus/trials.txt --data corpus --json",
        "spk eval runs/first --trials corpus/trials.txt --data corpus --checkpoint best --report",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string run = options.GetRequiredValue(_run);
        string? data = options.GetValue(_data);
        string list = CommonOptions.Find(options.GetRequiredValue(_trials), data);
        var trials = TrialList.Read(list);
        data ??= Path.GetDirectoryName(Path.GetFullPath(list))!;
        var manifest = options.GetValue(_manifest) is { } file ? Manifest.Load(CommonOptions.Find(file, data), data) : null;
        var utterances = manifest is null ? Locate(trials, data) : Select(trials, manifest);
        string checkpoint = Checkpoint(run, options.GetValue(_checkpoint) ?? "latest");
        var speakers = utterances.Where(u => u.Speaker is not null).ToDictionary(u => u.Id, u => u.Speaker!, StringComparer.Ordinal);
        var evaluation = new EvaluationOptions
        {
            GroupBy = options.GetValue(_groupBy),
            SpeakerOf = speakers.Count == utterances.Count ? id => speakers[id] : null,
        };

        using var device = context.OpenDevice();
        var model = SpeakerModel.Load(checkpoint, device);
        var watch = Stopwatch.StartNew();
        var files = new CorpusOptions { Channels = CommonOptions.ToChannelPolicy(options.GetValue(_channels)), Resample = options.GetValue(_resample) };
        var table = WorkDisplay.Run(context, "embedding", progress => EmbeddingExtractor.Run(model, utterances, files, progress, context.Stop));
        var result = TrialEvaluation.Run(trials.Trials, table, evaluation);

        var json = EvaluationText.ToJson(result);
        json["checkpoint"] = checkpoint;
        json["trialList"] = list;
        json["trialListSha256"] = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(list)));
        json["device"] = device.Name;
        json["seconds"] = watch.Elapsed.TotalSeconds;
        if (Directory.Exists(run))
        {
            var folder = new RunFolder(run);
            AtomicFile.WriteText(folder.Evaluation, json.ToJsonString() + "\n");
            ScoreFile.Write(folder.Scores, trials.Trials, result.Scores);
            context.Note($"wrote {folder.Evaluation} and {folder.Scores}");
            if (options.GetValue(_report))
            {
                var before = TrialEvaluation.Run(trials.Trials, EmbeddingExtractor.Run(Untrained(model, checkpoint), utterances, files, null, context.Stop), evaluation);
                ReportField[] facts =
                [
                    new("Trials", list), new("Checkpoint", checkpoint), new("Device", device.Name), new("Scoring", "cosine of whole utterances"),
                ];
                context.Note($"wrote {RunReport.Write(folder, before, result, table, facts, evaluation.SpeakerOf)}");
            }
        }
        else if (options.GetValue(_report))
        {
            throw new InvalidOptionException($"--report writes into a run folder, but {run} is not one.");
        }

        context.Report(json, output => EvaluationText.Print(result, output));
        return ExitCode.Ok;
    }

    /// <summary>The encoder as it was before training, from the seed that the checkpoint records.</summary>
    private static SpeakerModel Untrained(SpeakerModel trained, string checkpoint)
    {
        using var file = SafetensorsFile.Open(checkpoint, verifyChecksum: false);
        ulong seed = ulong.TryParse(file.Metadata.GetValueOrDefault("seed"), out ulong known) ? known : 1;
        var parameters = new ParameterSet(trained.Device);
        var encoder = Encoder.Create(trained.Encoder.Spec, parameters);
        parameters.Allocate(seed);
        return new SpeakerModel(new FeatureExtractor(trained.Device, trained.Features), encoder, parameters);
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

    private static List<Utterance> Locate(TrialList trials, string data)
    {
        List<Utterance> utterances = [.. trials.Utterances.Select(id => new Utterance(id, Path.GetFullPath(Path.Combine(data, id))))];
        string[] missing = [.. utterances.Where(u => !File.Exists(u.Path)).Select(u => u.Id)];
        return missing.Length == 0
            ? utterances
            : throw new DataFormatException(
                $"{missing.Length} of the {utterances.Count} files that {trials.Source} names are not below {data}, the first is {missing[0]}: give --data, or --manifest where ids are no paths.");
    }

    private static List<Utterance> Select(TrialList trials, Manifest manifest)
    {
        var known = manifest.Utterances.ToDictionary(u => u.Id, StringComparer.Ordinal);
        trials.RequireUsable(known.Keys.ToHashSet(StringComparer.Ordinal));
        return [.. trials.Utterances.Select(id => known[id])];
    }
}
