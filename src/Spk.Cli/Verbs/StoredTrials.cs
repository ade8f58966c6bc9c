using System.CommandLine;
using Spk.Engine.Devices;
using Spk.Engine.Scoring;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Cli.Verbs;

/// <summary>Trials that are scored from stored embeddings: what 'spk score' and 'spk calibrate' share.</summary>
internal sealed class StoredTrials
{
    private readonly Argument<string> _embeddings = new("EMBEDDINGS") { Description = "X.npy (with X.ids.txt), X.ark or X.scp." };
    private readonly Option<string> _trials = CommonOptions.Trials("Trial list, VoxCeleb or Kaldi style.");
    private readonly Option<bool> _allPairs = new("--all-pairs") { Description = "In place of a list: every pair of utterances; --speakers tells which are targets." };
    private readonly Option<string> _profiles = new("--profiles")
    {
        Description = "Enrolments of several utterances, a line each: 'profile utterance utterance ...'; trials then name profiles.",
        HelpName = "FILE",
    };

    private readonly ScoringOptions _scoring;

    public StoredTrials(Command verb, bool calibration)
    {
        verb.Arguments.Add(_embeddings);
        verb.Options.Add(_trials);
        verb.Options.Add(_allPairs);
        verb.Options.Add(_profiles);
        _scoring = new ScoringOptions(verb, "Embeddings of other speakers: X.npy, X.ark or X.scp.", calibration);
        verb.Validators.Add(result =>
        {
            bool pairs = result.GetValue(_allPairs);
            if (pairs == result.GetValue(_trials) is not null)
            {
                result.AddError("--trials FILE or --all-pairs must be given, and not both.");
            }
            else if (pairs && result.GetValue(_profiles) is not null)
            {
                result.AddError("--profiles needs --trials FILE: a list whose enrolments are profiles.");
            }
        });
    }

    /// <summary>Reads embeddings and trials, and scores them.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="context">The command's surroundings.</param>
    /// <param name="model">Identity of the model, for a cohort that will be stored.</param>
    public Outcome Score(ParseResult options, CommandContext context, string? model = null)
    {
        var table = EmbeddingTable.Load(options.GetRequiredValue(_embeddings));
        var speakerOf = _scoring.SpeakerOf(options);
        var trials = options.GetValue(_trials) is { } list ? TrialList.Read(list) : TrialList.AllPairs(table.Ids, speakerOf);
        var enrolments = options.GetValue(_profiles) is { } profiles ? table.Means(EnrolmentList.Read(profiles)) : table;
        var device = new Lazy<Device>(() => context.OpenDevice());
        try
        {
            var (scores, scoring, cohort) = _scoring.Score(options, trials.Trials, enrolments, table, EmbeddingTable.Load, device, context.Stop, model);
            return new Outcome(trials, scores, scoring, cohort, table.ZeroRows, _scoring.Calibrated(options, scoring, cohort, model: null), speakerOf);
        }
        finally
        {
            if (device.IsValueCreated)
            {
                device.Value.Dispose();
            }
        }
    }

    /// <summary>Scored trials.</summary>
    /// <param name="Trials">The trials.</param>
    /// <param name="Scores">One score per trial.</param>
    /// <param name="Scoring">How they were made.</param>
    /// <param name="Cohort">What normalized them; null for cosines.</param>
    /// <param name="ZeroEmbeddings">Embeddings that are zero vectors.</param>
    /// <param name="Calibration">What --calibration named; null for nothing.</param>
    /// <param name="SpeakerOf">Speaker of an utterance.</param>
    public sealed record Outcome(
        TrialList Trials, float[] Scores, string Scoring, ScoreCohort? Cohort, int ZeroEmbeddings, Calibration? Calibration, Func<string, string> SpeakerOf);
}
