using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Optimization;

namespace Spk.Training.Recipes;

/// <summary>Rules between fields of a recipe, and what a resumed run may change.</summary>
internal static class RecipeRules
{
    // What leaves every step up to the present one as it was.
    private static readonly string[] Changeable =
    [
        "name", "data.root", "data.train", "data.pack", "training.epochs", "training.maximumSteps", "training.stopAfterEpochs",
        "training.checkpointEverySteps", "evaluation.",
    ];

    public static void Check(Recipe recipe)
    {
        recipe.Features.Spec.Validate();
        recipe.ResolvedEncoder.Validate();
        recipe.Optimizer.Validate();
        var data = recipe.Data;
        data.Augmentation.Validate();
        Require(recipe.Objective.Kind != ObjectiveKind.SimClr || data.Views == 2,
            $"data.views = {data.Views}: objective.kind simClr needs 2.");
        Require(data.Pairing != CropPairing.Apart || data.Views == 2,
            $"data.views = {data.Views}: data.pairing apart places 2 crops; use pairing random for another number.");
        var curve = recipe.Schedule.Kind;
        Require(curve is LearningRateKind.Constant or LearningRateKind.Step || recipe.Schedule.Minimum <= recipe.Schedule.LearningRate,
            $"schedule.minimum = {FieldText.Of(recipe.Schedule.Minimum)} is above schedule.learningRate = {FieldText.Of(recipe.Schedule.LearningRate)}.");
        Require(curve != LearningRateKind.Exponential || recipe.Schedule.Minimum > 0,
            "schedule.minimum = 0: an exponential schedule needs a minimum above 0.");
        Require(recipe.Schedule.WarmupEpochs < recipe.Training.Epochs,
            $"schedule.warmupEpochs = {FieldText.Of(recipe.Schedule.WarmupEpochs)} leaves nothing of training.epochs = {recipe.Training.Epochs}.");
        Require(data.DevSpeakers != 1,
            "data.devSpeakers = 1: trials need two speakers or more; allowed are 0 and 2 or more.");
        Require(recipe.Evaluation.Patience == 0 || data.DevSpeakers > 0,
            $"evaluation.patience = {recipe.Evaluation.Patience} needs development speakers: set data.devSpeakers to 2 or more.");
    }

    /// <summary>The first field that differs and that a resumed run may not change, or null.</summary>
    public static (RecipeField Saved, RecipeField Asked)? FirstForbiddenChange(Recipe saved, Recipe asked)
    {
        foreach (var (before, after) in saved.Fields().Zip(asked.Fields()))
        {
            if (before.Value != after.Value && !Changeable.Any(c => c == before.Path || (c.EndsWith('.') && before.Path.StartsWith(c, StringComparison.Ordinal))))
            {
                return (before, after);
            }
        }

        return null;
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new InvalidOptionException(message);
        }
    }
}
