using Spk.Interop;
using Spk.Training.Objectives;
using Spk.Training.Positives;
using Spk.Training.Recipes;

namespace Spk.Training;

/// <summary>
/// What several processes can train together so that the result is that of one: all that a loss needs must be a function of the gathered embeddings,
/// and of nothing that a process keeps or draws for its own rows.
/// </summary>
internal static class ProcessRules
{
    private static readonly ObjectiveKind[] Shared =
    [
        ObjectiveKind.SimClr, ObjectiveKind.Supervised, ObjectiveKind.Ava, ObjectiveKind.AngularPrototypical, ObjectiveKind.Ge2e, ObjectiveKind.Cola,
    ];

    /// <summary>Checks a recipe.</summary>
    /// <param name="recipe">What to train.</param>
    /// <param name="ranks">Number of processes; one can train everything.</param>
    /// <exception cref="InvalidOptionException">They cannot; the message names the field.</exception>
    public static void Check(Recipe recipe, int ranks)
    {
        if (ranks == 1)
        {
            return;
        }

        var (objective, positives) = (recipe.Objective, recipe.Ssps.Source);
        Require(
            Array.IndexOf(Shared, objective.Kind) >= 0,
            $"objective.kind = {ObjectiveRules.Word(objective.Kind)}", $"use one of {FieldText.List(Shared.Select(ObjectiveRules.Word))}");
        Require(positives == PositiveSource.SameUtterance, $"ssps.source = {ObjectiveRules.Word(positives)}", "use sameUtterance");
        Require(objective.Mix.Kind is MixKind.None or MixKind.Embedding, $"objective.mix.kind = {ObjectiveRules.Word(objective.Mix.Kind)}", "use none or embedding");
        Require(recipe.Features.Spec.Dither == 0, $"features.dither = {FieldText.Of(recipe.Features.Spec.Dither)}", "use 0");

        void Require(bool holds, string field, string use)
        {
            if (!holds)
            {
                throw new InvalidOptionException($"{field} cannot be trained by {ranks} processes together: {use}, or start one process.");
            }
        }
    }
}
