using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>Self-supervised positive sampling (T. Lepage and R. Dehak, 2025).</summary>
internal static class SspsOnChannels
{
    // SSPS replaces positives from this epoch on; it collects what it clusters in the epoch before, which therefore belongs to the second stage.
    private const int Start = 15, Epochs = 40, QuickStart = 6, QuickEpochs = 10;

    private static readonly Measure SessionNmi = Measure.Quantity("sessionNmi", "NMI with channels");
    private static readonly Measure SpeakerNmi = Measure.Quantity("speakerNmi", "NMI with speakers");
    private static readonly Measure Coverage = Measure.Quantity("sspsCoverage", "coverage", percent: true);
    private static readonly Measure SessionAccuracy = Measure.Quantity("sspsSessionAccuracy", "positives of the same session", percent: true);

    public static Experiment Experiment { get; } = new()
    {
        Name = "ssps",
        Title = "Self-supervised positive sampling",
        Paper = "T. Lepage, R. Dehak: Self-Supervised Positive Sampling for Robust Self-Supervised Speaker Verification, 2025",
        Summary = "The positive of SimCLR is another crop of the same utterance and shares its recording, so that the channel helps to find it. SSPS takes an embedding of another "
            + "utterance instead, from a cluster near the anchor's own. Both systems go on from the same plain training, for the same number of epochs. "
            + "The voices' sessions have strong channels of their own; target trials are across channels, half of the non-target trials within one. "
            + "The oracle takes another utterance of the same speaker by the labels: the best that sampling could do.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "channels",
                Description = "synthetic voices with a strong channel in every session",
                Recipe = "demo",
                Overrides =
                [
                    "data.pairing=random", "objective.margin=0", $"training.epochs={Epochs}", "ssps.clusters=200", "ssps.neighbours=1", "ssps.queueSize=800",
                    "ssps.referenceSeconds=2",
                ],
                Voices = new SyntheticVoicesSpec { Speakers = 100, EvaluationSpeakers = 40, UtterancesPerSpeaker = 8, SessionsPerSpeaker = 4, ChannelStrength = 0.8f },
                QuickOverrides = [$"training.epochs={QuickEpochs}", "ssps.clusters=160", "ssps.queueSize=480"],
                QuickVoices = new SyntheticVoicesSpec { Speakers = 40, EvaluationSpeakers = 20, UtterancesPerSpeaker = 12, SessionsPerSpeaker = 4, ChannelStrength = 0.8f },
            },
            new ExperimentCorpus
            {
                Name = "recorded",
                Description = "the corpus at hand",
                Recipe = "openvoices-ssps",
                Overrides = [$"training.epochs={Epochs}", "objective.margin=0", "ssps.source=sameUtterance", "ssps.clusters=800", "ssps.neighbours=1", "ssps.queueSize=1792"],
                QuickOverrides = [$"training.epochs={QuickEpochs}"],
            },
        ],
        Systems =
        [
            new("first-stage", "SimCLR, first stage", $"training.stopAfterEpochs={Start - 1}") { IsStage = true, QuickOverrides = [$"training.stopAfterEpochs={QuickStart - 1}"] },
            new("simclr", "SimCLR") { Continues = "first-stage" },
            new("ssps", "SimCLR with SSPS", "ssps.source=clusters", $"ssps.startEpoch={Start}") { Continues = "first-stage", QuickOverrides = [$"ssps.startEpoch={QuickStart}"] },
            new("own-cluster", "SSPS, positives of the own cluster", "ssps.source=clusters", $"ssps.startEpoch={Start}", "ssps.neighbours=0")
            {
                Continues = "first-stage", InQuick = false,
            },
            new("nearest", "SSPS, the five nearest utterances", "ssps.source=nearest", $"ssps.startEpoch={Start}", "ssps.neighbours=5") { Continues = "first-stage", InQuick = false },
            new("oracle", "SimCLR with positives of the same speaker", "data.positives=sameSpeaker") { Continues = "first-stage" },
        ],
        Quantities =
        [
            Measure.Quantity("sspsSpeakerAccuracy", "positives of the same speaker", percent: true),
            Measure.Quantity("sspsSpeakerNmi", "NMI of clusters with speakers"),
            Measure.Quantity("sspsSessionNmi", "NMI of clusters with sessions"),
        ],
        Claims =
        [
            Claim.Lower(Measure.Eer, "ssps", "simclr", "SSPS lowers the EER against positives of the same utterance."),
            Claim.Lower(Measure.Eer, "own-cluster", "simclr", "Positives of the own cluster lower it too."),
            Claim.Lower(Measure.Eer, "nearest", "simclr", "So do the nearest utterances, without clusters."),
            Claim.Lower(Measure.ScatterRatio, "ssps", "simclr", "SSPS makes speakers more compact, in units of the distance between speakers."),
            Claim.Lower(SessionNmi, "ssps", "simclr", "Embeddings cluster less by channel with SSPS."),
            Claim.Higher(SpeakerNmi, "ssps", "simclr", "Embeddings cluster more by speaker with SSPS."),
            Claim.Above(Coverage, "ssps", 0.8, "More than 80 % of the anchors get a positive of another utterance."),
            Claim.Below(SessionAccuracy, "ssps", 0.2, "Fewer than 20 % of those positives are of the anchor's recording session."),
            Claim.Lower(Measure.Eer, "oracle", "simclr", "Positives of the same speaker by the labels lower the EER."),
        ],
    };
}
