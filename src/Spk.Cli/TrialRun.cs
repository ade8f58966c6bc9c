using Spk.Cli.Terminal;
using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Cli;

/// <summary>A trial list with the audio it names, ready to be run on models.</summary>
internal sealed class TrialRun
{
    private readonly IReadOnlyList<Utterance> _utterances;
    private readonly CorpusOptions _files;
    private readonly EvaluationOptions _options;

    private TrialRun(TrialList trials, IReadOnlyList<Utterance> utterances, CorpusOptions files, EvaluationOptions options) =>
        (Trials, _utterances, _files, _options) = (trials, utterances, files, options);

    public TrialList Trials { get; }

    /// <summary>Speaker of an utterance id, from the manifest where one was given.</summary>
    public Func<string, string>? SpeakerOf => _options.SpeakerOf;

    /// <summary>Reads a trial list and finds its audio.</summary>
    /// <param name="list">The trial list.</param>
    /// <param name="data">Folder that ids and manifest paths start from.</param>
    /// <param name="manifest">Where the utterances are; null takes ids as paths.</param>
    /// <param name="files">How to read the audio.</param>
    /// <param name="groupBy">Expression that groups trials; null for the leading letters of the speaker's folder.</param>
    public static TrialRun Open(string list, string data, string? manifest, CorpusOptions files, string? groupBy)
    {
        var trials = TrialList.Read(list);
        var utterances = manifest is null ? Locate(trials, data) : Select(trials, Manifest.Load(manifest, data));
        var speakers = utterances.Where(u => u.Speaker is not null).ToDictionary(u => u.Id, u => u.Speaker!, StringComparer.Ordinal);
        return new TrialRun(trials, utterances, files, new EvaluationOptions
        {
            GroupBy = groupBy,
            SpeakerOf = speakers.Count == utterances.Count ? id => speakers[id] : null,
        });
    }

    /// <summary>Embeds all utterances with a model and scores the trials.</summary>
    public EvaluationResult Run(SpeakerModel model, CommandContext context, out EmbeddingTable table)
    {
        table = WorkDisplay.Run(context, "embedding", progress => EmbeddingExtractor.Run(model, _utterances, _files, progress, context.Stop));
        return TrialEvaluation.Run(Trials.Trials, table, _options);
    }

    /// <summary>The encoder of a model as it was before training.</summary>
    /// <param name="trained">The model; only its shape is used.</param>
    /// <param name="seed">Seed of the run.</param>
    public static SpeakerModel Untrained(SpeakerModel trained, ulong seed)
    {
        var parameters = new ParameterSet(trained.Device);
        var encoder = Encoder.Create(trained.Encoder.Spec, parameters);
        parameters.Allocate(seed);
        return new SpeakerModel(new FeatureExtractor(trained.Device, trained.Features), encoder, parameters);
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
