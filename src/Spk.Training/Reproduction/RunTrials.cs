using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>
/// The trials that a run is scored on: the corpus' list, or, where an experiment enrols speakers by several utterances, profiles of the evaluation
/// speakers against all their other utterances.
/// </summary>
internal sealed class RunTrials
{
    private const string EvaluationManifest = "eval.csv";

    private readonly SystemRun _run;
    private readonly IReadOnlyList<Utterance>? _utterances;
    private readonly IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>>? _profiles;

    private RunTrials(SystemRun run, IReadOnlyList<Trial> trials, IReadOnlyList<Utterance>? utterances, IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>>? profiles) =>
        (_run, Trials, _utterances, _profiles) = (run, trials, utterances, profiles);

    /// <summary>The trials.</summary>
    public IReadOnlyList<Trial> Trials { get; }

    /// <summary>The file that the trials of a run come from.</summary>
    public static string Source(SystemRun run) =>
        Path.Combine(run.Recipe.Data.Root, run.EnrolmentUtterances > 0 ? EvaluationManifest : run.Recipe.Evaluation.Trials);

    /// <summary>Reads the list, or makes the trials.</summary>
    public static RunTrials Open(SystemRun run)
    {
        if (run.EnrolmentUtterances == 0)
        {
            return new RunTrials(run, TrialList.Read(Source(run)).Trials, null, null);
        }

        var utterances = Manifest.Load(Source(run), run.Recipe.Data.Root).Utterances;
        var profiles = new List<KeyValuePair<string, IReadOnlyList<string>>>();
        var tests = new List<Utterance>();
        foreach (var speaker in utterances.Where(u => u.Speaker is not null).GroupBy(u => u.Speaker!).OrderBy(s => s.Key, StringComparer.Ordinal))
        {
            // By session, so that a profile and its tests are of different ones as far as there are several.
            Utterance[] mine = [.. speaker.OrderBy(u => u.Session, StringComparer.Ordinal).ThenBy(u => u.Id, StringComparer.Ordinal)];
            if (mine.Length > run.EnrolmentUtterances)
            {
                profiles.Add(new(speaker.Key, [.. mine.Take(run.EnrolmentUtterances).Select(u => u.Id)]));
                tests.AddRange(mine.Skip(run.EnrolmentUtterances));
            }
        }

        Trial[] trials = [.. from profile in profiles from test in tests select new Trial(profile.Key == test.Speaker, profile.Key, test.Id)];
        return new RunTrials(run, trials, utterances, profiles);
    }

    /// <summary>Embeds every utterance that the trials need.</summary>
    public EmbeddingTable Embed(SpeakerModel model, IProgress<DataProgress>? progress, CancellationToken cancellation) => _utterances is null
        ? TrialSet.Open(Source(_run), _run.Recipe.Data.Root, audio: _run.Recipe.CorpusOptions).Embed(model, progress, cancellation)
        : EmbeddingExtractor.Run(model, _utterances, _run.Recipe.CorpusOptions, progress, cancellation);

    /// <summary>What the trials call enrolments: the utterances themselves, or their profiles.</summary>
    public EmbeddingTable Enrolments(EmbeddingTable embeddings) => _profiles is null ? embeddings : embeddings.Means(_profiles);
}
