using Spk.Engine.Alignment;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Training.Alignment;

/// <summary>What one model made of the utterances of a trial list.</summary>
/// <param name="Enrolments">Embeddings of every enrolment: utterances, or profiles (<see cref="EmbeddingTable.Means"/>).</param>
/// <param name="Tests">Embeddings of every test; may be the same table.</param>
public sealed record ModelEmbeddings(EmbeddingTable Enrolments, EmbeddingTable Tests);

/// <summary>A combination of models that trials were scored with.</summary>
/// <param name="EnrolledWithNew">Whether enrolments are of the new model, the aligner's runtime model, rather than of the old one.</param>
/// <param name="TestedWithNew">Whether tests are.</param>
/// <param name="Aligner">What makes the two comparable; null for none.</param>
/// <param name="Result">Error rates and scores.</param>
/// <param name="Gains">
/// The recovered gain at each false acceptance rate of <see cref="FalseRejection.Reported"/>, null where it cannot be measured; empty for systems of one
/// model.
/// </param>
public sealed record AlignedSystem(bool EnrolledWithNew, bool TestedWithNew, string? Aligner, EvaluationResult Result, IReadOnlyList<RecoveredGain?> Gains)
{
    /// <summary>In words, such as "old enrolment, new runtime".</summary>
    public string Name => $"{Word(EnrolledWithNew)} enrolment, {Word(TestedWithNew)} runtime";

    private static string Word(bool isNew) => isNew ? "new" : "old";
}

/// <summary>Compares the old model, the new one, and both together through aligners, on the same trials.</summary>
public static class AlignmentEvaluation
{
    private static readonly ScoreMeasure[] Measures = [ScoreMeasure.FrrAtFar01, ScoreMeasure.FrrAtFar02, ScoreMeasure.FrrAtFar05, ScoreMeasure.FrrAtFar10];

    /// <summary>Scores the trials with every combination.</summary>
    /// <param name="trials">Trials of both kinds, over speakers that no aligner was learnt from.</param>
    /// <param name="old">Embeddings of the old model, which is the enrolment model of all aligners.</param>
    /// <param name="newer">Embeddings of the new model, which is their runtime model.</param>
    /// <param name="aligners">Aligners by name.</param>
    /// <param name="options">Groups, bootstrap; null for the defaults.</param>
    /// <returns>
    /// Old with old, new with new; old with new as they are, where the sizes allow it; then with each aligner old enrolments with new tests, and new
    /// enrolments with old tests.
    /// </returns>
    /// <exception cref="DataFormatException">Utterances without embedding, or trials of one kind only.</exception>
    /// <exception cref="ShapeException">An aligner was made for embeddings of other sizes.</exception>
    public static IReadOnlyList<AlignedSystem> Run(
        IReadOnlyList<Trial> trials, ModelEmbeddings old, ModelEmbeddings newer, IReadOnlyList<KeyValuePair<string, Aligner>> aligners, EvaluationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(trials);
        ArgumentNullException.ThrowIfNull(old);
        ArgumentNullException.ThrowIfNull(newer);
        ArgumentNullException.ThrowIfNull(aligners);
        var systems = new List<AlignedSystem>
        {
            new(false, false, null, Evaluate(old.Enrolments, old.Tests), []),
            new(true, true, null, Evaluate(newer.Enrolments, newer.Tests), []),
        };
        if (old.Tests.Dimension == newer.Tests.Dimension)
        {
            systems.Add(new AlignedSystem(false, true, null, Evaluate(old.Enrolments, newer.Tests), []));
        }

        foreach (var (name, aligner) in aligners)
        {
            Add(false, name, Evaluate(aligner.MapEnrolments(old.Enrolments), aligner.MapRuntimes(newer.Tests)));
            Add(true, name, Evaluate(aligner.MapRuntimes(newer.Enrolments), aligner.MapEnrolments(old.Tests)));
        }

        return systems;

        void Add(bool enrolledWithNew, string name, EvaluationResult result)
        {
            RecoveredGain?[] gains =
            [
                .. Measures.Select((measure, i) => result.FrrAtFar[i].Frr is null
                    ? null
                    : RecoveredGain.Run(trials, [systems[0].Result.Scores], [result.Scores], [systems[1].Result.Scores], measure, options)),
            ];
            systems.Add(new AlignedSystem(enrolledWithNew, !enrolledWithNew, name, result, gains));
        }

        EvaluationResult Evaluate(EmbeddingTable enrolments, EmbeddingTable tests) =>
            TrialEvaluation.Run(trials, TrialEvaluation.Score(trials, enrolments, tests), options) with { ZeroEmbeddings = tests.ZeroRows };
    }
}
