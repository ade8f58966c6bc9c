using Spk.Cli.Terminal;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Training.Evaluation;

namespace Spk.Cli;

/// <summary>Evaluations with progress on the terminal.</summary>
internal static class Scoring
{
    /// <summary>Embeds the utterances of a trial list and scores it.</summary>
    public static EvaluationResult Run(TrialSet trials, SpeakerModel model, CommandContext context, out EmbeddingTable embeddings)
    {
        EmbeddingTable? table = null;
        var result = WorkDisplay.Run(context, "embedding", progress => trials.Evaluate(model, out table, progress, context.Stop));
        embeddings = table!;
        return result;
    }
}
