using Spk.Engine.Audio;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>What a data check holds the data against.</summary>
public sealed record DataCheckOptions
{
    /// <summary>Sample rate that every file must have, in Hz; 0 accepts any (then files are resampled when loaded).</summary>
    public int SampleRate { get; init; } = 16000;

    /// <summary>Shortest usable utterance in seconds.</summary>
    public double MinimumSeconds { get; init; } = 0.1;

    /// <summary>What is done with several channels.</summary>
    public ChannelPolicy Channels { get; init; } = ChannelPolicy.RequireMono;

    /// <summary>Whether an utterance without speaker label is an error, as in supervised training, or only worth a warning.</summary>
    public bool RequireSpeakers { get; init; }

    /// <summary>Folder that relative paths of the manifests start from; null for each manifest's own folder.</summary>
    public string? Root { get; init; }

    /// <summary>How to read the manifests.</summary>
    public ManifestFormat Format { get; init; }

    /// <summary>Evaluation manifest, whose speakers must not be in the training manifest; null for none.</summary>
    public string? EvaluationManifest { get; init; }

    /// <summary>Trial list whose utterances must be in the evaluation manifest (or, without one, in the manifest); null for none.</summary>
    public string? Trials { get; init; }

    /// <summary>List of dialogues over the manifest; null for none.</summary>
    public string? Dialogues { get; init; }
}

/// <summary>How far a check, a load or a pack has come.</summary>
/// <param name="Done">Files done.</param>
/// <param name="Total">Files in all.</param>
public readonly record struct DataProgress(int Done, int Total);

/// <summary>Size of a manifest's readable part.</summary>
/// <param name="Manifest">The manifest.</param>
/// <param name="Speakers">Distinct speaker labels.</param>
/// <param name="Utterances">Utterances listed.</param>
/// <param name="Readable">Utterances whose file could be opened.</param>
/// <param name="Hours">Their length together.</param>
/// <param name="ShortestSeconds">Length of the shortest; 0 where none is readable.</param>
/// <param name="MedianSeconds">Median length (the lower one of an even count).</param>
/// <param name="LongestSeconds">Length of the longest.</param>
public sealed record DataSummary(
    string Manifest, int Speakers, int Utterances, int Readable, double Hours, double ShortestSeconds, double MedianSeconds, double LongestSeconds);

/// <summary>Everything a check found.</summary>
/// <param name="Problems">All problems, manifest by manifest in the order of the lists.</param>
/// <param name="Summaries">One per manifest.</param>
public sealed record DataCheckReport(IReadOnlyList<DataProblem> Problems, IReadOnlyList<DataSummary> Summaries)
{
    /// <summary>Whether some problem prevents training or evaluation.</summary>
    public bool HasErrors => Problems.Any(p => p.IsError);

    /// <summary>Problems of each kind, most frequent first.</summary>
    public IReadOnlyList<KeyValuePair<DataProblemKind, int>> Counts =>
    [
        .. Problems.GroupBy(p => p.Kind).Select(g => KeyValuePair.Create(g.Key, g.Count()))
            .OrderByDescending(p => p.Value).ThenBy(p => p.Key),
    ];
}

/// <summary>Looks at every file of a corpus before anything runs, and reports all problems at once.</summary>
public static class DataCheck
{
    // A manifest's durations are usually rounded to milliseconds or come from a decoder that pads; more than this is another file.
    private const double DurationToleranceSeconds = 0.1;

    /// <summary>Checks a manifest, its files, and where given an evaluation manifest, a trial list and a list of dialogues.</summary>
    /// <param name="manifest">CSV file, Kaldi directory or folder tree.</param>
    /// <param name="options">What to hold it against.</param>
    /// <param name="progress">Told about every 64 files.</param>
    /// <param name="cancellation">Ends the check early with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>All problems and a summary; nothing is thrown for bad data.</returns>
    public static DataCheckReport Run(
        string manifest, DataCheckOptions options, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var problems = new List<DataProblem>();
        var summaries = new List<DataSummary>();
        var training = ManifestReader.Read(manifest, options.Root, options.Format, problems);
        var evaluation = options.EvaluationManifest is { } path
            ? ManifestReader.Read(path, options.Root, options.Format, problems)
            : null;
        int total = training.Count + (evaluation?.Count ?? 0);

        summaries.Add(CheckFiles(manifest, training, options, problems, progress, 0, total, cancellation));
        if (evaluation is not null)
        {
            summaries.Add(CheckFiles(options.EvaluationManifest!, evaluation, options, problems, progress, training.Count, total, cancellation));
            CheckOverlap(training, evaluation, manifest, options.EvaluationManifest!, problems);
        }

        if (options.Trials is not null)
        {
            CheckTrials(options.Trials, evaluation ?? training, options.EvaluationManifest ?? manifest, problems);
        }

        if (options.Dialogues is not null)
        {
            DialogueCheck.Run(options.Dialogues, options.Root, training, manifest, problems);
        }

        return new DataCheckReport(problems, summaries);
    }

    private static DataSummary CheckFiles(
        string manifest, List<Utterance> utterances, DataCheckOptions options, List<DataProblem> problems,
        IProgress<DataProgress>? progress, int before, int total, CancellationToken cancellation)
    {
        // Every file writes to its own place, so that the report has the manifest's order whatever the threads do.
        var found = new List<DataProblem>?[utterances.Count];
        var seconds = new double[utterances.Count];
        int done = before;
        Parallel.For(0, utterances.Count, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            found[i] = CheckOne(utterances[i], options, out seconds[i]);
            int now = Interlocked.Increment(ref done);
            if (now % 64 == 0 || now == total)
            {
                progress?.Report(new DataProgress(now, total));
            }
        });

        problems.AddRange(found.OfType<List<DataProblem>>().SelectMany(p => p));
        double[] readable = [.. seconds.Where(s => s > 0).Order()];
        int speakers = utterances.Select(u => u.Speaker).OfType<string>().Distinct().Count();
        return readable.Length == 0
            ? new DataSummary(manifest, speakers, utterances.Count, 0, 0, 0, 0, 0)
            : new DataSummary(
                manifest, speakers, utterances.Count, readable.Length, readable.Sum() / 3600,
                readable[0], readable[(readable.Length - 1) / 2], readable[^1]);
    }

    private static List<DataProblem>? CheckOne(Utterance utterance, DataCheckOptions options, out double seconds)
    {
        seconds = 0;
        List<DataProblem>? found = null;
        void Add(DataProblemKind kind, string message, bool isError = true) =>
            (found ??= []).Add(new DataProblem(kind, utterance.Id, message, isError));

        if (utterance.Speaker is null)
        {
            Add(DataProblemKind.UnlabelledSpeaker, $"{utterance.Id} has no speaker label: supervised training cannot use it.", options.RequireSpeakers);
        }

        AudioInfo info;
        try
        {
            info = WavFile.ReadInfo(utterance.Path);
        }
        catch (DataFormatException e)
        {
            Add(File.Exists(utterance.Path) ? DataProblemKind.Unreadable : DataProblemKind.Missing, e.Message);
            return found;
        }

        seconds = info.Seconds;
        try
        {
            WavFile.RequireReadable(info, options.Channels, utterance.Path);
        }
        catch (DataFormatException e)
        {
            Add(
                info.IsTruncated ? DataProblemKind.Truncated : info.Frames == 0 ? DataProblemKind.NoSamples
                : info.Channels > 1 && options.Channels == ChannelPolicy.RequireMono ? DataProblemKind.SeveralChannels
                : DataProblemKind.Unreadable,
                e.Message);
        }

        if (options.SampleRate > 0 && info.SampleRate != options.SampleRate)
        {
            Add(DataProblemKind.WrongSampleRate, Corpus.WrongRate(utterance.Path, info.SampleRate, options.SampleRate));
        }

        if (info.Frames > 0 && !info.IsTruncated && seconds < options.MinimumSeconds)
        {
            Add(
                DataProblemKind.TooShort,
                FormattableString.Invariant($"{utterance.Path} lasts {seconds:0.###} s, less than {options.MinimumSeconds:0.###} s: remove it from the manifest."));
        }

        if (utterance.DurationSeconds is { } stated && !info.IsTruncated && Math.Abs(stated - seconds) > DurationToleranceSeconds)
        {
            Add(
                DataProblemKind.WrongDuration,
                FormattableString.Invariant($"{utterance.Path} lasts {seconds:0.###} s where the manifest states {stated:0.###} s: is it another file?"),
                isError: false);
        }

        // Only floating-point files can hold a NaN; integer samples need no look.
        if (info.IsFloat && found?.Exists(p => p.IsError) != true)
        {
            try
            {
                WavFile.Read(utterance.Path, options.Channels);
            }
            catch (DataFormatException e)
            {
                Add(DataProblemKind.NonFinite, e.Message);
            }
        }

        return found;
    }

    private static void CheckOverlap(
        List<Utterance> training, List<Utterance> evaluation, string trainingName, string evaluationName, List<DataProblem> problems)
    {
        var known = training.Select(u => u.Speaker).OfType<string>().ToHashSet(StringComparer.Ordinal);
        foreach (string speaker in evaluation.Select(u => u.Speaker).OfType<string>().Distinct().Where(known.Contains))
        {
            problems.Add(new(
                DataProblemKind.SpeakerInBothParts, speaker,
                $"The speaker '{speaker}' is in both {trainingName} and {evaluationName}: error rates would flatter the model; keep the parts apart."));
        }
    }

    private static void CheckTrials(string path, List<Utterance> utterances, string manifest, List<DataProblem> problems)
    {
        TrialList trials;
        try
        {
            trials = TrialList.Read(path);
        }
        catch (DataFormatException e)
        {
            problems.Add(new(DataProblemKind.MalformedList, path, e.Message));
            return;
        }

        if (trials.Targets == 0 || trials.Targets == trials.Trials.Count)
        {
            problems.Add(new(DataProblemKind.OneSidedTrials, path, trials.OneSided()));
        }

        var known = utterances.Select(u => u.Id).ToHashSet(StringComparer.Ordinal);
        foreach (string id in trials.Utterances.Where(id => !known.Contains(id)))
        {
            problems.Add(new(DataProblemKind.TrialOfAbsentUtterance, id, $"{path} names '{id}', which {manifest} does not list."));
        }
    }
}
