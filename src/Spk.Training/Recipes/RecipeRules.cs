using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Optimization;
using Spk.Training.Positives;
using Spk.Training.PseudoLabelling;

namespace Spk.Training.Recipes;

/// <summary>Rules between fields of a recipe, and what a resumed run may change.</summary>
internal static class RecipeRules
{
    // What leaves every step up to the present one as it was.
    private static readonly string[] Changeable =
    [
        "name", "data.root", "data.train", "data.pack", "data.labels.file", "training.epochs", "training.maximumSteps", "training.stopAfterEpochs",
        "training.checkpointEverySteps", "rounds.count", "evaluation.",
    ];

    public static void Check(Recipe recipe)
    {
        recipe.Features.Spec.Validate();
        recipe.ResolvedEncoder.Validate();
        recipe.Optimizer.Validate();
        var data = recipe.Data;
        data.Augmentation.Validate();
        var objective = recipe.Objective;
        string kind = ObjectiveRules.Word(objective.Kind);
        recipe.Ssps.Validate();
        bool compares = objective.Kind is ObjectiveKind.Ava or ObjectiveKind.AngularPrototypical or ObjectiveKind.Ge2e;
        bool anyViews = objective.Kind is ObjectiveKind.Supervised or ObjectiveKind.Apc;
        Require(anyViews || (compares ? data.Views >= 2 : data.Views == 2),
            $"data.views = {data.Views}: objective.kind {kind} needs 2{(compares ? " or more" : "")}.");
        CheckRows(recipe, compares);
        CheckPrediction(recipe);
        Require(data.LocalViews == 0 || objective.Kind == ObjectiveKind.Dino,
            $"data.localViews = {data.LocalViews}: objective.kind {kind} uses none; set it to 0 or use dino.");
        Require(objective.Projector.Layers == 0 || objective.Kind is ObjectiveKind.SimClr or ObjectiveKind.Moco,
            $"objective.projector.layers = {objective.Projector.Layers}: objective.kind {kind} has no projector; set it to 0.");
        Require(recipe.Ssps.Source == PositiveSource.SameUtterance || objective.Kind is ObjectiveKind.SimClr or ObjectiveKind.Moco or ObjectiveKind.Dino,
            $"ssps.source = {ObjectiveRules.Word(recipe.Ssps.Source)}: objective.kind {kind} has no positives to replace; use simClr, moco or dino.");
        Require(recipe.Ssps.Source == PositiveSource.SameUtterance || data.Positives == PositivePairing.SameUtterance,
            $"ssps.source = {ObjectiveRules.Word(recipe.Ssps.Source)}: with data.positives sameSpeaker the positives come from the labels; choose one of the two.");
        Require(data.Positives == PositivePairing.SameUtterance || data.Views > 1,
            "data.positives = sameSpeaker: needs data.views of 2 or more.");
        Require(data.Pairing != CropPairing.Apart || data.Views == 2 || data.Rows != RowSource.Utterances,
            $"data.views = {data.Views}: data.pairing apart places 2 crops; use pairing random for another number.");
        Require(recipe.FineTune.Model is null || objective.Kind is not (ObjectiveKind.Moco or ObjectiveKind.Dino),
            $"finetune.model = {recipe.FineTune.Model}: objective.kind {kind} trains a momentum encoder beside and starts anew; use ge2e, angularPrototypical, ava, simClr or supervised.");
        Require(data.Labels == new LabelSpec() || objective.Kind == ObjectiveKind.Supervised,
            $"data.labels: objective.kind {kind} uses no labels; use supervised, or leave the section out.");
        Require(objective.Mix.Kind == MixKind.None || objective.Kind == ObjectiveKind.Supervised,
            $"objective.mix.kind = {ObjectiveRules.Word(objective.Mix.Kind)}: objective.kind {kind} has no labels to mix; use supervised.");
        Require(recipe.Rounds.Count == 0 || objective.Kind == ObjectiveKind.Supervised,
            $"rounds.count = {recipe.Rounds.Count}: objective.kind {kind} trains on no labels; use supervised.");
        var head = objective.Head;
        Require(head is { SubCentres: 1, HardNegatives: 0 } || head.Kind is ClassifierHead.Margin or ClassifierHead.AdaFace,
            $"objective.head.subCentres = {head.SubCentres}, objective.head.hardNegatives = {head.HardNegatives}: head {ObjectiveRules.Word(head.Kind)} has neither; use margin or adaFace, or set them to 1 and 0.");
        Require(head.HardNegatives == 0 || objective.Mix.Kind == MixKind.None,
            $"objective.head.hardNegatives = {head.HardNegatives}: the second class of a row of objective.mix.kind {ObjectiveRules.Word(objective.Mix.Kind)} would be its hardest; use 0, or do not mix.");
        var clustering = recipe.Rounds.Clustering;
        Require(clustering.Views != 1,
            "rounds.views = 1: views are compared with each other; allowed are 2 or more, and 0 for noise on the embeddings.");
        Require(recipe.Rounds.Count == 0 || clustering.ViewsToEmbed == 0 || clustering.Normalization == RowNormalization.UnitLength,
            $"rounds.normalization = {ObjectiveRules.Word(clustering.Normalization)}: views of recordings are embeddings of unit length; set it to unitLength, or rounds.views to 0.");
        var curve = recipe.Schedule.Kind;
        Require(curve is LearningRateKind.Constant or LearningRateKind.Step || recipe.Schedule.Minimum <= recipe.Schedule.LearningRate,
            $"schedule.minimum = {FieldText.Of(recipe.Schedule.Minimum)} is above schedule.learningRate = {FieldText.Of(recipe.Schedule.LearningRate)}.");
        Require(curve != LearningRateKind.Exponential || recipe.Schedule.Minimum > 0,
            "schedule.minimum = 0: an exponential schedule needs a minimum above 0.");
        Require(recipe.Schedule.WarmupEpochs < recipe.Training.Epochs,
            $"schedule.warmupEpochs = {FieldText.Of(recipe.Schedule.WarmupEpochs)} leaves nothing of training.epochs = {recipe.Training.Epochs}.");
        _ = SpeakerPart.Parse(data.SpeakerPart);
        Require(data.DevSpeakers != 1,
            "data.devSpeakers = 1: trials need two speakers or more; allowed are 0 and 2 or more.");
        Require(recipe.Evaluation.Patience == 0 || data.DevSpeakers > 0,
            $"evaluation.patience = {recipe.Evaluation.Patience} needs development speakers: set data.devSpeakers to 2 or more.");
    }

    // Dialogues and speakers are for the objectives that compare utterances with each other; a dialogue has no label to classify.
    private static void CheckRows(Recipe recipe, bool compares)
    {
        var data = recipe.Data;
        string rows = ObjectiveRules.Word(data.Rows), kind = ObjectiveRules.Word(recipe.Objective.Kind);
        Require(data.Rows == RowSource.Utterances || compares || (data.Rows == RowSource.Speakers && recipe.Objective.Kind == ObjectiveKind.Supervised),
            $"data.rows = {rows}: objective.kind {kind} cannot use them; choose ava, angularPrototypical or ge2e, or set it to utterances.");
        Require(data.Rows == RowSource.Utterances || (data.Sampler == BatchSampling.Uniform && data.Positives == PositivePairing.SameUtterance),
            $"data.rows = {rows}: data.sampler and data.positives are for rows of utterances; remove them.");
        Require(data.DialogueGap == 0 || data.Rows == RowSource.Dialogues,
            $"data.dialogueGap = {FieldText.Of(data.DialogueGap)}: set data.rows to dialogues, or the gap to 0.");
    }

    private static void CheckPrediction(Recipe recipe)
    {
        if (recipe.Objective.Kind != ObjectiveKind.Apc)
        {
            return;
        }

        var features = recipe.Features.Spec;
        int frames = features.FrameCount(DataSection.Samples(recipe.Data.CropSeconds, features.SampleRate)), ahead = recipe.Objective.Apc.Ahead;
        Require(recipe.Encoder.Kind == "gru",
            $"encoder.kind = {recipe.Encoder.Kind}: objective.kind apc predicts from the frames so far and needs gru.");
        Require(ahead < frames,
            $"objective.apc.ahead = {ahead} leaves nothing to predict of the {frames} frames of data.cropSeconds = {FieldText.Of(recipe.Data.CropSeconds)}.");
    }

    /// <summary>The first field that differs and that a resumed run may not change, or null.</summary>
    /// <param name="saved">The recipe of the checkpoint.</param>
    /// <param name="asked">The recipe to go on with.</param>
    /// <param name="epochs">Epochs begun.</param>
    public static (RecipeField Saved, RecipeField Asked)? FirstForbiddenChange(Recipe saved, Recipe asked, long epochs)
    {
        // Nothing of SSPS shows before the epoch that collects for its first clustering: plain training may go on with or without it.
        bool beforeSampling = Untouched(saved.Ssps) && Untouched(asked.Ssps);
        foreach (var (before, after) in saved.Fields().Zip(asked.Fields()))
        {
            if (before.Value != after.Value && !MayChange(before.Path) && !(beforeSampling && before.Path.StartsWith("ssps.", StringComparison.Ordinal)))
            {
                return (before, after);
            }
        }

        return null;

        bool Untouched(PositiveSamplingSpec ssps) => ssps.Source == PositiveSource.SameUtterance || epochs < ssps.StartEpoch;
    }

    private static bool MayChange(string path) =>
        Changeable.Any(c => c == path || (c.EndsWith('.') && path.StartsWith(c, StringComparison.Ordinal)));

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new InvalidOptionException(message);
        }
    }
}
