using System.CommandLine;
using Spk.Cli.Terminal;
using Spk.Training.Evaluation;

namespace Spk.Cli.Verbs;

/// <summary>Scores a trial list from stored embeddings; no model is needed.</summary>
internal sealed class ScoreVerb : Verb
{
    private readonly StoredTrials _trials;
    private readonly Option<string> _out = CommonOptions.Out("Where to write a score per trial: 'score label enrolment test'.", "FILE", required: false);
    private readonly Option<string> _groupBy = CommonOptions.GroupBy();

    public ScoreVerb() : base("score", "Score trials from stored embeddings, by cosine and score normalization, and measure EER, minDCF and FRR at fixed FAR.")
    {
        _trials = new StoredTrials(this, calibration: true);
        Options.Add(_out);
        Options.Add(_groupBy);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk score embeddings.npy --trials corpus/trials.txt --out scores.txt",
        "spk score embeddings.npy --trials corpus/trials.txt --norm as --cohort train.npy --top 300",
        "spk score embeddings.npy --trials corpus/trials.txt --norm as --cohort train.npy --top 100 --cohort-by speaker --center --deviation biased",
        "spk score xvectors.ark --all-pairs --speakers eval.csv --json",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        var scored = _trials.Score(options, context);
        var evaluation = new EvaluationOptions
        {
            GroupBy = options.GetValue(_groupBy),
            Calibration = scored.Calibration,
            SpeakerOf = scored.SpeakerOf,
        };
        var result = TrialEvaluation.Run(scored.Trials.Trials, scored.Scores, evaluation) with { ZeroEmbeddings = scored.ZeroEmbeddings };
        if (options.GetValue(_out) is { } path)
        {
            ScoreFile.Write(path, scored.Trials.Trials, result.Scores);
            context.Note($"wrote {path}");
        }

        var json = EvaluationText.ToJson(result);
        json["scoring"] = scored.Scoring;
        context.Report(json, output => EvaluationText.Print(result, output));
        return ExitCode.Ok;
    }
}
