namespace Spk.Training.Reproduction.Experiments;

/// <summary>What soft rejection is good for, by how many dialogues have a second speaker.</summary>
internal static class DialogueContamination
{
    private const int Batch = 32;

    private static readonly int[] Rates = [0, 10, 20, 30];

    public static Experiment Experiment { get; } = new()
    {
        Name = "dialogue-contamination",
        Title = "Soft rejection by the share of mixed dialogues",
        Paper = "A protocol of our own, beside that of the experiment dialogues",
        Summary = "Encoders are pretrained on the same synthetic dialogues, of which none, a tenth, a fifth or three tenths have a second speaker, with three losses, with and without soft "
            + "rejection. What does rejection take away where there is nothing to reject, and what does it save where there is much?",
        Corpora =
        [
            .. Rates.Select(rate => new ExperimentCorpus
            {
                Name = $"mixed-{rate}",
                Description = $"synthetic dialogues, {rate} % with a second speaker",
                Recipe = "openvoices-dialogues",
                Overrides = DialoguePretraining.Sizes,
                Voices = DialoguePretraining.Voices with { SecondSpeakers = rate / 100f },
                QuickOverrides = DialoguePretraining.QuickSizes,
            }),
        ],
        Systems = [.. DialoguePretraining.Pretrainings(Batch)],
        Quantities = [DialoguePretraining.Auc, DialoguePretraining.MixedWeight],
        Claims =
        [
            Claim.Lower(
                Measure.Eer, DialoguePretraining.Losses.Select(l => new ClaimPair(DialoguePretraining.Pretrained(l.Name, Batch, true), DialoguePretraining.Pretrained(l.Name, Batch, false))),
                "Soft rejection lowers the EER (mean of the three losses)."),
        ],
    };
}
