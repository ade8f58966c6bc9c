using Spk.Training.Data;
using Spk.Training.Reproduction;

namespace Spk.Tests.Reproduction;

/// <summary>An experiment that takes seconds: two systems, and one that goes on from a stage they share.</summary>
internal static class TinyExperiment
{
    public static Experiment Make(params ulong[] seeds) => new()
    {
        Name = "tiny",
        Title = "A tiny experiment",
        Paper = "nobody: nothing | never",
        Summary = "For tests.",
        Seeds = seeds,
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "few voices",
                Recipe = "demo",
                Overrides =
                [
                    "data.cropSeconds=0.3", "data.augmentation.reverbProbability=0", "data.augmentation.noiseProbability=0", "features.bins=16", "encoder.width=4",
                    "encoder.lastWidth=4", "encoder.embeddingSize=4", "training.batch=8", "training.epochs=3", "training.checkpointEverySteps=1",
                ],
                Voices = new SyntheticVoicesSpec
                {
                    Speakers = 4, EvaluationSpeakers = 4, UtterancesPerSpeaker = 4, SessionsPerSpeaker = 2, ChannelStrength = 0.5f,
                    MinimumSeconds = 0.7f, MaximumSeconds = 0.9f, Noises = 1, Rooms = 1,
                },
            },
            new ExperimentCorpus { Name = "recorded", Description = "the corpus at hand", Recipe = "demo" },
        ],
        Systems =
        [
            new("stage", "first epochs", "training.stopAfterEpochs=1") { IsStage = true },
            new("plain", "continued", "objective.margin=0") { Continues = "stage" },
            new("margin", "continued with a margin", "objective.margin=0.3") { Continues = "stage" },
        ],
        Claims =
        [
            Claim.Lower(Measure.Eer, "margin", "plain", "The margin lowers the EER."),
            Claim.Above(Measure.Quantity("cosPositive", "cosine of positives"), "plain", -2, "Cosines are above −2."),
            Claim.Below(Measure.Quantity("sessionNmi", "session NMI"), "plain", -1, "Sessions are not there at all."),
        ],
    };

    public static ExperimentOptions In(string folder) => new() { Folder = folder };
}
