using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>Positives from other recordings (T. Lepage and R. Dehak, SSPS, 2025).</summary>
internal static class PositiveSampling
{
    private const string Plain = "plain", Continued = "continued", Sampled = "ssps";

    private static readonly string[] Sampling = ["ssps.source=clusters", "ssps.startEpoch=15", "ssps.referenceSeconds=2"];

    public static Experiment Experiment { get; } = new()
    {
        Name = "ssps",
        Title = "Self-supervised positive sampling",
        Paper = "T. Lepage, R. Dehak: SSPS: Self-Supervised Positive Sampling for Robust Self-Supervised Speaker Verification, Interspeech 2025",
        Summary = "Two crops of one utterance share its recording, and an encoder may learn the channel instead of the voice. SSPS first trains as usual, "
            + "then takes positives from other utterances whose clusters are near the anchor's. The paper says that this lowers the EER, because the positives "
            + "are of other recordings of the same speaker. Here every session of the synthetic voices has a strong channel of its own, and the trials compare "
            + "across sessions. 'continued' trains on as before, for as many epochs as SSPS; 'supervised positives' takes the second crop from another utterance "
            + "of the true speaker, the best that sampling could do.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "channels",
                Description = "synthetic voices, a strong channel in every session",
                Recipe = "demo",
                Overrides = ["data.pairing=random", "objective.margin=0", "training.epochs=40", "ssps.clusters=200", "ssps.neighbours=2", "ssps.queueSize=800"],
                Voices = new SyntheticVoicesSpec { Speakers = 100, EvaluationSpeakers = 40, UtterancesPerSpeaker = 8, SessionsPerSpeaker = 4, ChannelStrength = 0.8f },
                QuickVoices = new SyntheticVoicesSpec { Speakers = 50, EvaluationSpeakers = 20, UtterancesPerSpeaker = 8, SessionsPerSpeaker = 4, ChannelStrength = 0.8f },
                QuickOverrides = ["training.epochs=24", "ssps.clusters=100", "ssps.queueSize=400"],
            },
            new ExperimentCorpus
            {
                Name = "recorded",
                Description = "the corpus at hand",
                Recipe = "openvoices-ssps",
                Overrides = ["ssps.startEpoch=15"],
                QuickOverrides = ["training.epochs=20"],
            },
        ],
        Systems =
        [
            new(Plain, "SimCLR, first stage", "ssps.source=sameUtterance", "training.stopAfterEpochs=14") { IsStage = true },
            new(Continued, "SimCLR, continued", "ssps.source=sameUtterance") { Continues = Plain },
            new(Sampled, "SimCLR with SSPS", [.. Sampling]) { Continues = Plain },
            new("own-cluster", "SSPS, positives of the own cluster", [.. Sampling, "ssps.neighbours=0"]) { Continues = Plain, InQuick = false },
            new("nearest", "SSPS, the nearest utterances", "ssps.source=nearest", "ssps.startEpoch=15", "ssps.referenceSeconds=2", "ssps.neighbours=5") { Continues = Plain, InQuick = false },
            new("oracle", "SimCLR with supervised positives", "ssps.source=sameUtterance", "data.positives=sameSpeaker") { InQuick = false },
        ],
        Claims =
        [
            Claim.Lower(Measure.Eer, Sampled, Continued, "Positives from neighbouring clusters lower the EER."),
            Claim.Above(Measure.Quantity("sspsCoverage", "coverage", percent: true), Sampled, 0.8, "More than 80 % of the positives are replaced."),
            Claim.Below(Measure.Quantity("sspsSessionAccuracy", "session accuracy", percent: true), Sampled, 0.2, "Less than 20 % of the replaced positives are of the anchor's recording session."),
            Claim.Lower(Measure.ScatterRatio, Sampled, Continued, "Speakers become more compact."),
            Claim.Lower(Measure.Eer, Sampled, "own-cluster", "Neighbouring clusters are better than the own cluster."),
            Claim.Lower(Measure.Eer, Sampled, "nearest", "Clusters are better than the nearest utterances."),
            Claim.Lower(Measure.Eer, "oracle", Sampled, "True speakers as positives remain better."),
        ],
    };
}
