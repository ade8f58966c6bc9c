using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>Pretraining on human-machine dialogues with soft rejection, and fine-tuning on few labelled speakers.</summary>
internal static class DialoguePretraining
{
    private const string Scratch = "none", ScratchGru = "none-gru", Cola = "cola", Apc = "apc";

    private static readonly int[] Batches = [8, 16, 32], Labels = [8, 16, 32];

    // An epoch of utterances has about twice as many crops as one of dialogues.
    private static readonly string[] Utterances = ["data.rows=utterances", "data.augmentation.reverbProbability=0", "data.augmentation.noiseProbability=0", "data.pairing=random"];

    internal static readonly Measure Auc = Measure.Quantity("compactnessAuc", "compactness AUC");
    internal static readonly Measure MixedWeight = Measure.Quantity("mixedWeightShare", "weight of mixed dialogues", percent: true);

    internal static readonly SyntheticVoicesSpec Voices = new()
    {
        Speakers = 80,
        EvaluationSpeakers = 40,
        UtterancesPerSpeaker = 12,
        SessionsPerSpeaker = 6,
        SecondSpeakers = 0.25f,
    };

    internal static readonly (string Name, string Title, string Kind)[] Losses =
        [("ava", "AvA", "ava"), ("aproto", "A-Proto", "angularPrototypical"), ("ge2e", "GE2E", "ge2e")];

    // Compactness tells speakers from rooms and noises only where few utterances are augmented, and what rejection is good for shows in long trainings.
    internal static readonly string[] Sizes =
    [
        "data.cropSeconds=1", "data.augmentation.reverbProbability=0.2", "data.augmentation.noiseProbability=0.2", "encoder.width=64", "encoder.embeddingSize=64",
        "training.epochs=60", "schedule.learningRate=2e-3",
    ];

    internal static readonly string[] QuickSizes = ["training.epochs=20"];

    public static Experiment Experiment { get; } = new()
    {
        Name = "dialogues",
        Title = "Pretraining on dialogues with soft rejection",
        Paper = "M. Cekic, R. Li, Z. Chen, Y. Yang, A. Stolcke, U. Madhow: Self-Supervised Speaker Recognition Training Using Human-Machine Dialogues, ICASSP 2022",
        Summary = "Utterances of one dialogue with a device are mostly of one speaker, those of other devices are not. An encoder is trained on a quarter (voices) or a fifth (recorded) of "
            + "dialogues with a second speaker, without labels, with three losses, three batch sizes, and with or without soft rejection of dialogues that are not compact. Encoders "
            + "pretrained in the largest batch with rejection are then fine-tuned with GE2E on few labelled speakers, beside encoders pretrained with COLA (two crops of one "
            + "recording) and APC (frames ahead) and random ones, which train about three times as long at ten times the rate. All evaluation speakers are new.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "synthetic dialogues, a quarter with a second speaker",
                Recipe = "openvoices-dialogues",
                Overrides = Sizes,
                Voices = Voices,
                QuickOverrides = QuickSizes,
            },
            new ExperimentCorpus
            {
                Name = "recorded",
                Description = "the corpus at hand, with its sessions.csv",
                Recipe = "openvoices-dialogues",
                Overrides = Sizes,
                QuickOverrides = QuickSizes,
            },
        ],
        Systems = [.. Pretrainings(Batches), .. Comparators(), .. Labels.SelectMany(FineTunings)],
        Reductions =
        [
            new(
                "Relative EER reduction (%) of pretraining alone, against the same loss with the smallest batch and without rejection:", "loss",
                [.. Batches.Select(b => $"batch {b}")],
                [
                    .. from loss in Losses
                       from rejects in (bool[])[false, true]
                       select new ReductionRow(
                           loss.Title + (rejects ? " with rejection" : ""),
                           [.. Batches.Select(b => new ReductionCell(Pretrained(loss.Name, b, rejects), Pretrained(loss.Name, Batches[0], false)))]),
                ]),
            new(
                "Relative EER reduction (%) after fine-tuning with GE2E, against training from scratch on the same labels:", "pretraining", [.. Labels.Select(l => $"{l} speakers")],
                [
                    Row("none", Scratch), Row("none, GRU", ScratchGru), Row("COLA", Cola), Row("APC (GRU)", Apc),
                    .. Losses.Select(l => Row($"dialogues, {l.Title}", l.Name)),
                ]),
        ],
        Quantities = [MixedWeight],
        Claims =
        [
            .. Batches.Select(b => Claim.Lower(
                Measure.Eer, Losses.Select(l => new ClaimPair(Pretrained(l.Name, b, true), Pretrained(l.Name, b, false))),
                $"Soft rejection lowers the EER with a batch of {b} dialogues (mean of the three losses).")),
            .. Losses.Select(l => Claim.Above(
                Auc, Pretrained(l.Name, Batches[^1], true), 0.8, $"{l.Title}: compactness tells mixed dialogues from others, with an area under the ROC curve above 0.8 in the last epoch.")),
            Against(Scratch, $"With {Labels[0]} labelled speakers, dialogue pretraining beats training from scratch (mean of the three losses)."),
            Against(Apc, $"With {Labels[0]} labelled speakers, it beats APC."),
            Against(Cola, $"With {Labels[0]} labelled speakers, it beats COLA."),
            Claim.Lower(
                Measure.LogEer,
                Losses.SelectMany(l => (ClaimPair[])
                [
                    new(Tuned(l.Name, Labels[0]), Tuned(Scratch, Labels[0])), new(Tuned(Scratch, Labels[^1]), Tuned(l.Name, Labels[^1])),
                ]),
                $"The relative gain over training from scratch is larger with {Labels[0]} labelled speakers than with {Labels[^1]}."),
        ],
    };

    internal static string Pretrained(string loss, int batch, bool rejects) => $"{loss}-{batch}{(rejects ? "-rejection" : "")}";

    private static string Tuned(string pretraining, int speakers) => $"{pretraining}-{speakers}-labels";

    private static ReductionRow Row(string title, string pretraining) => new(title, [.. Labels.Select(l => new ReductionCell(Tuned(pretraining, l), Tuned(Scratch, l)))]);

    private static Claim Against(string other, string statement) =>
        Claim.Lower(Measure.Eer, Losses.Select(l => new ClaimPair(Tuned(l.Name, Labels[0]), Tuned(other, Labels[0]))), statement);

    internal static IEnumerable<ExperimentSystem> Pretrainings(params int[] batches) =>
        from batch in batches
        from loss in Losses
        from rejects in (bool[])[false, true]
        select new ExperimentSystem(
            Pretrained(loss.Name, batch, rejects), $"{loss.Title}, batch {batch}{(rejects ? ", rejection" : "")}",
            $"objective.kind={loss.Kind}", $"training.batch={batch}", $"objective.dialogue.rejection.kind={(rejects ? "standardized" : "none")}")
        {
            InQuick = batch == Batches[^1],
        };

    private static IEnumerable<ExperimentSystem> Comparators() =>
    [
        new(Cola, "COLA", [.. Utterances, "objective.kind=cola", "objective.cola.outputs=64", "training.epochs=30"]) { QuickOverrides = ["training.epochs=10"] },
        new(Apc, "APC", [.. Utterances, "objective.kind=apc", "encoder.kind=gru", "data.views=1", "training.batch=32", "training.epochs=60", "schedule.learningRate=1e-3", "optimizer.clipNorm=1"])
        {
            QuickOverrides = ["training.epochs=20"],
        },
    ];

    private static IEnumerable<ExperimentSystem> FineTunings(int speakers)
    {
        string[] labels = ["data.rows=speakers", $"data.limitSpeakers={speakers}", $"training.batch={Math.Min(speakers, 16)}"];
        string[] scratch = [.. labels, "training.epochs=200", "schedule.learningRate=2e-3"], tuned = [.. labels, "training.epochs=60", "schedule.learningRate=2e-4"];
        const string Recipe = "openvoices-finetune-ge2e";
        yield return new ExperimentSystem(Tuned(Scratch, speakers), $"from scratch, {speakers} speakers", scratch) { Recipe = Recipe };
        yield return new ExperimentSystem(Tuned(ScratchGru, speakers), $"from scratch, GRU, {speakers} speakers", [.. scratch, "encoder.kind=gru"]) { Recipe = Recipe };
        foreach (var (name, title, system) in ((string, string, string)[])
                 [(Cola, "COLA", Cola), (Apc, "APC", Apc), .. Losses.Select(l => (l.Name, l.Title, Pretrained(l.Name, Batches[^1], true)))])
        {
            yield return new ExperimentSystem(Tuned(name, speakers), $"{title}, then {speakers} speakers", tuned) { Recipe = Recipe, FineTunes = system };
        }
    }
}
