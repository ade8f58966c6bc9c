using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>MoCo's queue and momentum encoder for speakers, and margins in it (T. Lepage and R. Dehak).</summary>
internal static class MomentumContrast
{
    public static Experiment Experiment { get; } = new()
    {
        Name = "moco",
        Title = "MoCo: queue and momentum",
        Paper = "K. He et al.: Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020; for speakers: T. Lepage, R. Dehak, Odyssey 2024",
        Summary = "MoCo takes its negatives from a queue of past keys, which a slowly moving copy of the encoder makes so that they fit each other. "
            + "The papers say that momentum is needed, that a longer queue helps as long as it is not full of the anchor's own speaker, that margins help as in SimCLR, "
            + "and that for speakers MoCo and SimCLR end near each other. Queues are short here: with some hundred speakers, 1024 keys hold several of the anchor's own.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "synthetic voices",
                Recipe = "demo",
                Overrides = ["objective.kind=moco", "objective.margin=0", "objective.queueSize=240", "objective.momentum.start=0.99"],
                Voices = new SyntheticVoicesSpec { Speakers = 120, EvaluationSpeakers = 40, UtterancesPerSpeaker = 8, SessionsPerSpeaker = 4 },
                QuickVoices = new SyntheticVoicesSpec { Speakers = 60, EvaluationSpeakers = 20, UtterancesPerSpeaker = 6, SessionsPerSpeaker = 3 },
                QuickOverrides = ["training.epochs=12"],
            },
            new ExperimentCorpus
            {
                Name = "recorded",
                Description = "the corpus at hand",
                Recipe = "openvoices-moco",
                QuickOverrides = ["training.epochs=8"],
            },
        ],
        Systems =
        [
            new("moco", "MoCo"),
            new("no-momentum", "MoCo without momentum", "objective.momentum.start=0"),
            new("short-queue", "MoCo, a queue of one batch", "objective.queueSize=192") { InQuick = false },
            new("long-queue", "MoCo, a long queue", "objective.queueSize=960") { InQuick = false },
            new("margin", "MoCo-AM, m = 0.1", "objective.margin=0.1"),
            new("mask", "MoCo, own speaker masked in the queue (oracle)", "objective.oracleMask=true") { InQuick = false },
            new("simclr", "SimCLR", "objective.kind=simClr"),
        ],
        Claims =
        [
            Claim.Lower(Measure.Eer, "moco", "no-momentum", "The momentum encoder lowers the EER."),
            Claim.Lower(Measure.Eer, "long-queue", "short-queue", "A longer queue lowers the EER."),
            Claim.Lower(Measure.Eer, "margin", "moco", "A margin of 0.1 lowers the EER."),
            Claim.Lower(Measure.Eer, "mask", "moco", "Taking the anchor's own speaker out of the queue lowers the EER."),
            Claim.Lower(Measure.Eer, "moco", "simclr", "MoCo has a lower EER than SimCLR."),
        ],
    };
}
