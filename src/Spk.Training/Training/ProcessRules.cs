using Spk.Interop;
using Spk.Training.Objectives;
using Spk.Training.Recipes;

namespace Spk.Training;

/// <summary>
/// What several processes can train together so that the result is that of one: nothing may be drawn for, or made of, the rows of one process that
/// depends on which rows these are.
/// </summary>
internal static class ProcessRules
{
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

        var objective = recipe.Objective;
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
