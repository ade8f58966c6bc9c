using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>A trial list with the audio it names, to be scored with any number of models: audio → embeddings → cosine → error rates.</summary>
public sealed class TrialSet
{
    private readonly IReadOnlyList<Utterance> _utterances;
    private readonly CorpusOptions _audio;
    private readonly EvaluationOptions _options;

    private TrialSet(TrialList trials, IReadOnlyList<Utterance> utterances, CorpusOptions audio, EvaluationOptions options) =>
        (Trials, _utterances, _audio, _options) = (trials, utterances, audio, options);

    /// <summary>The trials.</summary>
    public TrialList Trials { get; }

    /// <summary>Speaker of an utterance id, from the manifest where one was given and names all speakers; else null.</summary>
    public Func<string, string>? SpeakerOf => _options.SpeakerOf;

    /// <summary>Reads a trial list and finds its audio.</summary>
    /// <param name="list">Path of the trial list.</param>
    /// <param name="root">Folder that utterance ids and manifest paths start from.</param>
    /// <param name="manifest">Where the utterances are; null takes the ids as paths.</param>
    /// <param name="audio">Channels and resampling; null for mono files of the model's rate.</param>
    /// <param name="options">Groups and confidence intervals; null for the defaults.</param>
    /// <returns>The set; its audio is read anew for each model.</returns>
    /// <exception cref="DataFormatException">The list or the manifest cannot be used, or names files that are not there.</exception>
    public static TrialSet Open(string list, string root, string? manifest = null, CorpusOptions? audio = null, EvaluationOptions? options = null)
    {
        var trials = TrialList.Read(list);
        var utterances = manifest is null ? Locate(trials, root) : Select(trials, Manifest.Load(manifest, root));
        options ??= new EvaluationOptions();
        if (options.SpeakerOf is null && utterances.All(u => u.Speaker is not null))
        {
            var speakers = utterances.ToDictionary(u => u.Id, u => u.Speaker!, StringComparer.Ordinal);
            options = options with { SpeakerOf = id => speakers[id] };
        }

        return new TrialSet(trials, utterances, audio ?? new CorpusOptions(), options);
    }

    /// <summary>Embeds all utterances with a model and scores the trials.</summary>
    /// <param name="model">The model.</param>
    /// <param name="embeddings">An embedding for every utterance of the list.</param>
    /// <param name="progress">Told about the files embedded; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>Error rates.</returns>
    /// <exception cref="DataFormatException">A file cannot be used.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public EvaluationResult Evaluate(
        SpeakerModel model, out EmbeddingTable embeddings, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        embeddings = Embed(model, progress, cancellation);
        return Evaluate(TrialEvaluation.Score(Trials.Trials, embeddings), embeddings);
    }

    /// <summary>Embeds all utterances with a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="progress">Told about the files embedded; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>An embedding for every utterance of the list.</returns>
    /// <exception cref="DataFormatException">A file cannot be used.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public EmbeddingTable Embed(SpeakerModel model, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default) =>
        EmbeddingExtractor.Run(model, _utterances, _audio, progress, cancellation);

    /// <summary>Error rates of the trials under given scores.</summary>
    /// <param name="scores">One score per trial.</param>
    /// <param name="embeddings">What they were made from.</param>
    /// <param name="calibration">A stored calibration to apply; null for none.</param>
    /// <returns>Error rates.</returns>
    public EvaluationResult Evaluate(IReadOnlyList<float> scores, EmbeddingTable embeddings, Calibration? calibration = null)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        return TrialEvaluation.Run(Trials.Trials, scores, _options with { Calibration = calibration }) with { ZeroEmbeddings = embeddings.ZeroRows };
    }

    private static List<Utterance> Locate(TrialList trials, string root)
    {
        List<Utterance> utterances = [.. trials.Utterances.Select(id => new Utterance(id, Path.GetFullPath(Path.Combine(root, id))))];
        string[] missing = [.. utterances.Where(u => !File.Exists(u.Path)).Select(u => u.Id)];
        return missing.Length == 0
            ? utterances
            : throw new DataFormatException(
                $"{missing.Length} of the {utterances.Count} files that {trials.Source} names are not below {root}, {missing[0]} being the first: give the folder that the list's paths start from (--data), or a manifest where its ids are no paths (--manifest).");
    }

    private static List<Utterance> Select(TrialList trials, Manifest manifest)
    {
        var known = manifest.Utterances.ToDictionary(u => u.Id, StringComparer.Ordinal);
        trials.RequireUsable(known.Keys.ToHashSet(StringComparer.Ordinal));
        return [.. trials.Utterances.Select(id => known[id])];
    }
}
