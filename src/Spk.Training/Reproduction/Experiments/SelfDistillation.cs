using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>DINO, and what keeps it from collapsing (M. Caron et al., ICCV 2021).</summary>
internal static class SelfDistillation
{
    public static Experiment Experiment { get; } = new()
    {
        Name = "dino",
        Title = "DINO and its collapses",
        Paper = "M. Caron et al.: Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021; for speakers: T. Lepage, R. Dehak",
        Summary = "A student that follows its own moving average could agree on saying nothing. DINO keeps it from that with a centre, which no prototype can escape, and a low "
            + "teacher temperature, which forbids the uniform answer; without either it collapses. Short crops and the momentum teacher make it better. For speakers, DINO "
            + "is said to beat SimCLR, on a million utterances.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "synthetic voices",
                Recipe = "openvoices-dino",
                Overrides =
                [
                    "encoder.width=64", "encoder.embeddingSize=64", "data.cropSeconds=1.2", "data.localSeconds=0.6", "training.batch=48", "training.epochs=30",
                    "data.augmentation.reverbProbability=0.3", "objective.distill.prototypes=512", "schedule.learningRate=2e-3",
                ],
                Voices = new SyntheticVoicesSpec { Speakers = 120, EvaluationSpeakers = 40, UtterancesPerSpeaker = 8, SessionsPerSpeaker = 4 },
                QuickVoices = new SyntheticVoicesSpec { Speakers = 60, EvaluationSpeakers = 20, UtterancesPerSpeaker = 6, SessionsPerSpeaker = 3 },
                QuickOverrides = ["training.epochs=12"],
            },
            new ExperimentCorpus
            {
                Name = "recorded",
                Description = "the corpus at hand",
                Recipe = "openvoices-dino",
                QuickOverrides = ["training.epochs=8"],
            },
        ],
        Systems =
        [
            new("dino", "DINO"),
            new("no-centre", "without centring", "objective.distill.centreMomentum=1"),
            new("no-sharpening", "without sharpening: teacher temperature 0.1", "objective.distill.teacherTemperature=0.1"),
            new("no-local", "without short crops", "data.localViews=0") { InQuick = false },
            new("no-momentum", "without momentum", "objective.momentum.start=0", "objective.momentum.curve=constant") { InQuick = false },
            new("simclr", "SimCLR", "objective.kind=simClr", "data.localViews=0", "objective.temperature=0.1", "optimizer.clipNorm=null"),
        ],
        Claims =
        [
            Claim.Lower(Measure.Eer, "dino", "no-centre", "Centring lowers the EER."),
            Claim.Lower(Measure.Eer, "dino", "no-sharpening", "Sharpening lowers the EER."),
            Claim.Below(Measure.Quantity("divergence", "divergence"), "no-centre", 1e-2, "Without a centre, student and teacher end up agreeing on one answer."),
            Claim.Below(Measure.Quantity("divergence", "divergence"), "no-sharpening", 1e-2, "Without sharpening, they end up agreeing on the uniform answer."),
            Claim.Lower(Measure.Eer, "dino", "no-local", "Short crops lower the EER."),
            Claim.Lower(Measure.Eer, "dino", "no-momentum", "The momentum teacher lowers the EER."),
            Claim.Lower(Measure.Eer, "dino", "simclr", "DINO has a lower EER than SimCLR."),
        ],
    };
}
