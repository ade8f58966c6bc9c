using System.Globalization;
using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>Symmetric NT-Xent and additive margins (T. Lepage and R. Dehak, Odyssey 2024).</summary>
internal static class NtXentMargins
{
    private const string Default = "am-0.1";

    private static readonly float[] Margins = [0.05f, 0.1f, 0.2f, 0.3f];

    public static Experiment Experiment { get; } = new()
    {
        Name = "nt-xent-am",
        Title = "Symmetric NT-Xent and additive margins",
        Paper = "T. Lepage, R. Dehak: Additive Margin in Contrastive Self-Supervised Frameworks to Learn Discriminative Speaker Representations, Odyssey 2024",
        Summary = "SimCLR learns to find the other crop of the same utterance in a batch. The paper says that it learns more when both crops are anchors (symmetric NT-Xent), "
            + "and more again when the positive cosine has to win by a margin (NT-Xent-AM), although some negatives are of the anchor's own speaker: "
            + "embeddings of a speaker become more compact, and there are fewer false negatives and false positives. Its default margin is 0.1, taken from a grid.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "synthetic voices",
                Recipe = "demo",
                Voices = new SyntheticVoicesSpec { Speakers = 120, EvaluationSpeakers = 40, UtterancesPerSpeaker = 8, SessionsPerSpeaker = 4 },
                QuickVoices = new SyntheticVoicesSpec { Speakers = 60, EvaluationSpeakers = 20, UtterancesPerSpeaker = 6, SessionsPerSpeaker = 3 },
                QuickOverrides = ["training.epochs=12"],
            },
            new ExperimentCorpus
            {
                Name = "recorded",
                Description = "the corpus at hand",
                Recipe = "openvoices-simclr",
                QuickOverrides = ["training.epochs=8"],
            },
        ],
        Systems =
        [
            new("asymmetric", "NT-Xent, asymmetric", "objective.symmetric=false", "objective.margin=0"),
            new("symmetric", "NT-Xent, symmetric", "objective.margin=0"),
            .. Margins.Select(m => new ExperimentSystem(Name(m), $"NT-Xent-AM, m = {Text(m)}", "objective.marginKind=additive", $"objective.margin={Text(m)}") { InQuick = Name(m) == Default }),
        ],
        Claims =
        [
            Claim.Lower(Measure.Eer, "symmetric", "asymmetric", "The symmetric loss has a lower EER than the asymmetric one."),
            Claim.Lower(Measure.Eer, Default, "symmetric", "The default margin of 0.1 lowers the EER."),
            .. Margins.Where(m => Name(m) != Default).Select(m => Claim.Lower(Measure.Eer, Name(m), "symmetric", $"A margin of {Text(m)} lowers the EER.")),
            Claim.Lower(Measure.FalseNegatives, Default, "symmetric", "The margin gives fewer false negatives at the threshold of equal error."),
            Claim.Lower(Measure.FalsePositives, Default, "symmetric", "The margin gives fewer false positives at the threshold of equal error."),
            Claim.Lower(Measure.ScatterRatio, Default, "symmetric", "The margin makes speakers more compact, in units of the distance between speakers."),
            Claim.Lower(Measure.NonTargetCosine, Default, "symmetric", "The margin moves different speakers apart: their cosines are lower."),
        ],
    };

    private static string Name(float margin) => "am-" + Text(margin);

    private static string Text(float margin) => margin.ToString(CultureInfo.InvariantCulture);
}
