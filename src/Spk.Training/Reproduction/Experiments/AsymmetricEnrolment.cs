using Spk.Engine.Alignment;
using Spk.Training.Alignment;
using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>Enrolment and runtime models that differ, and the alignment of their spaces (NESSA).</summary>
internal static class AsymmetricEnrolment
{
    private const string Old = "old", New = "new", Best = "shared-new";

    // The old encoder's training speakers, the new one's, and those of the alignment.
    private const string OldSpeakers = "data.speakerPart=1/6", NewSpeakers = "data.speakerPart=2/6", AlignmentSpeakers = "data.speakerPart=3-6/6";

    private static readonly Measure Frr = Measure.FrrAtFar05;

    public static Experiment Experiment { get; } = new()
    {
        Name = "nessa",
        Title = "Asymmetric enrolment by alignment of embedding spaces",
        Paper = "NESSA, embedding space alignment for enrolment and runtime models that differ",
        Summary = "A new model is to run before all profiles have been made anew with it. Light networks, trained after both encoders, map old profiles and new embeddings "
            + "to where they can be compared. The sources say that mapping to the better of the two spaces works best, that a contrastive loss with an anchor in that space is best overall, "
            + "that a new space without an anchor is worse, that cosines with common speakers are poor, and that 60 to 100 % of the new model's gain is recovered. "
            + "Here the old model is an x-vector TDNN trained by SimCLR without labels, the new one a small ECAPA-TDNN trained by AAM-softmax on other speakers; the aligners learn from further "
            + "speakers, and all is measured on speakers that none has heard, enrolled by the mean of three utterances.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "synthetic voices",
                Recipe = "demo",
                Overrides = ["training.epochs=20"],
                Voices = new SyntheticVoicesSpec { Speakers = 480, EvaluationSpeakers = 60, UtterancesPerSpeaker = 6, SessionsPerSpeaker = 3 },
                QuickVoices = new SyntheticVoicesSpec { Speakers = 120, EvaluationSpeakers = 24, UtterancesPerSpeaker = 5, SessionsPerSpeaker = 3, MaximumTargets = 1000 },
                QuickOverrides = ["training.epochs=12"],
            },
            new ExperimentCorpus
            {
                Name = "recorded",
                Description = "the corpus at hand",
                Recipe = "openvoices-simclr",
                Overrides = ["training.epochs=20"],
                QuickOverrides = ["training.epochs=6"],
            },
        ],
        Systems =
        [
            new(Old, "old encoder on both sides", OldSpeakers, "encoder.width=48", "encoder.embeddingSize=64", "training.epochs=15") { QuickOverrides = ["training.epochs=5"] },
            new(
                New,
                "new encoder on both sides",
                NewSpeakers, "encoder.kind=ecapa", "encoder.width=48", "encoder.lastWidth=144", "encoder.embeddingSize=96",
                "objective.kind=supervised", "objective.marginKind=additiveAngular", "objective.margin=0.2", "objective.scale=30", "schedule.learningRate=1e-3"),
            Aligned("to-old", "A: new embeddings to the old space", new AlignmentSpec { Variant = AlignmentVariant.ToEnrolment }),
            Aligned("to-new", "B: old embeddings to the new space", new AlignmentSpec { Variant = AlignmentVariant.ToRuntime }),
            Aligned(Best, "C: shared space, contrast, anchored to the new one", new AlignmentSpec { Anchor = AlignmentAnchor.Runtime }),
            Aligned("shared-old", "C: shared space, contrast, anchored to the old one", new AlignmentSpec { Anchor = AlignmentAnchor.Enrolment }),
            Aligned("shared-free", "C: shared space without an anchor", new AlignmentSpec { Anchor = AlignmentAnchor.None }),
            Aligned("shared-random", "C: shared space without an anchor, from random weights", new AlignmentSpec { Anchor = AlignmentAnchor.None, Start = AlignmentStart.Random }),
            Aligned("procrustes", "orthogonal Procrustes", new AlignmentSpec { Variant = AlignmentVariant.Procrustes }),
            Aligned("logits", "cosines with common speakers", new AlignmentSpec { Variant = AlignmentVariant.SpeakerLogits }),
        ],
        EnrolmentUtterances = 3,
        Measures = [Measure.Eer, Measure.FrrAtFar01, Measure.FrrAtFar02, Frr, Measure.FrrAtFar10],
        Quantities =
        [
            Measure.Quantity("alignmentSpeakers", "speakers learnt from"), Measure.Quantity("alignmentUtterances", "utterances"), Measure.Quantity("bestEpoch", "epoch kept"),
        ],
        Claims =
        [
            Claim.Lower(Measure.Eer, New, Old, "The new encoder is better than the old one (without which there is no gain to recover)."),
            Claim.Lower(Frr, Best, Old, "Old enrolments with new embeddings, aligned, are better than the old encoder on both sides."),
            Claim.Lower(Frr, "to-new", "to-old", "Mapping to the better space is better than mapping to the other (B against A)."),
            Claim.Lower(Frr, Best, "shared-old", "A shared space is better anchored to the better space than to the other."),
            Claim.Lower(Frr, Best, "to-new", "The contrastive loss with the anchor is better than squared distances alone."),
            Claim.Higher(Frr, "shared-free", Best, "Without an anchor it is worse."),
            Claim.Higher(Frr, "shared-random", Best, "A wholly new space, from random weights and without an anchor, is worse."),
            Claim.Higher(Frr, "procrustes", Best, "A rotation alone is worse."),
            Claim.Higher(Frr, "logits", Best, "Cosines with common speakers are worse."),
            Claim.Recovers(Frr, Best, 0.6, "The anchored contrast recovers at least 60 % of the gain."),
            Claim.Recovers(Frr, "to-new", 0.6, "Squared distances in the better space recover at least 60 % of the gain."),
        ],
    };

    private static ExperimentSystem Aligned(string name, string title, AlignmentSpec spec) => new(name, title, AlignmentSpeakers)
    {
        Alignment = new ExperimentAlignment(Old, New, spec with { Epochs = 200, Patience = 30 }),
    };
}
