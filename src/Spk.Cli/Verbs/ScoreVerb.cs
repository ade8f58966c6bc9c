using System.CommandLine;
using Spk.Cli.Terminal;
using Spk.Engine.Scoring;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Cli.Verbs;

/// <summary>Scores a trial list from stored embeddings; no model is needed.</summary>
internal sealed class ScoreVerb : Verb
{
    private readonly Argument<string> _embeddings = new("EMBEDDINGS") { Description = "X.npy (with X.ids.txt), X.ark or X.scp." };
    private readonly Option<string> _trials = CommonOptions.Trials("Trial list, VoxCeleb or Kaldi style.", required: true);
    private readonly Option<string> _out = CommonOptions.Out("Where to write a score per trial: 'score label enrolment test'.", "FILE", required: false);
    private readonly Option<string> _groupBy = CommonOptions.GroupBy();

    public ScoreVerb() : base("score", "Score trials by cosine from stored embeddings and measure EER and minDCF.")
    {
        Arguments.Add(_embeddings);
        foreach (Option option in new Option[] { _trials, _out, _groupBy })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk score embeddings.npy --trials corpus/trials.txt --out scores.txt",
        "spk score xvectors.ark --trials trials --json",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        var table = EmbeddingTable.Load(options.GetRequiredValue(_embeddings));
        var trials = TrialList.Read(options.GetRequiredValue(_trials));
        var result = TrialEvaluation.Run(trials.Trials, table, new EvaluationOptions { GroupBy = options.GetValue(_groupBy) });
        if (options.GetValue(_out) is { } path)
        {
            ScoreFile.Write(path, trials.Trials, result.Scores);
            context.Note($"wrote {path}");
        }

        context.Report(EvaluationText.ToJson(result), output => EvaluationText.Print(result, output));
        return ExitCode.Ok;
    }
}
