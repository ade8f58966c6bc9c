using System.Globalization;
using Spk.Training.Data;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>Heads of a classifier when some of its labels are wrong (methods.md 13.7).</summary>
internal static class HeadsUnderNoise
{
    private static readonly int[] Noise = [0, 20, 40, 60], NoiseOfClaims = [20, 40];

    private static readonly (string Name, string Title, string[] Overrides)[] Heads =
    [
        ("softmax", "softmax", ["objective.head.kind=softmax"]),
        ("am", "AM", ["objective.marginKind=additive", "objective.margin=0.2"]),
        ("cosface", "CosFace", ["objective.marginKind=additive", "objective.margin=0.35", "objective.scale=64"]),
        ("aam", "AAM", ["objective.marginKind=additiveAngular", "objective.margin=0.2"]),
        ("oc", "OC", ["objective.head.kind=ocSoftmax"]),
        ("adaface", "AdaFace", ["objective.head.kind=adaFace", "objective.margin=0.4"]),
    ];

    public static Experiment Experiment { get; } = new()
    {
        Name = "label-noise",
        Title = "Classifier heads under label noise",
        Paper = "A comparison of softmax, AM-Softmax, CosFace, AAM-Softmax, OC-Softmax and AdaFace on pseudo-labels for speaker verification",
        Summary = "A classifier is trained on the true speakers, of whose utterances a share gets another speaker's label, at random and for good. AM and CosFace are one formula with scale 30 and "
            + "margin 0.2, and with scale 64 and margin 0.35; margins rise over the first half of the epochs. Errors of clusters are not random; the experiment pseudo-labels has those.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "synthetic voices with channels",
                Recipe = "demo",
                Overrides = [.. Common, "training.epochs=120"],
                Voices = new SyntheticVoicesSpec { Speakers = 100, EvaluationSpeakers = 40, UtterancesPerSpeaker = 10, SessionsPerSpeaker = 4, ChannelStrength = 0.4f },
                QuickOverrides = ["training.epochs=100"],
                QuickVoices = new SyntheticVoicesSpec { Speakers = 40, EvaluationSpeakers = 24, UtterancesPerSpeaker = 10, SessionsPerSpeaker = 4, ChannelStrength = 0.4f },
            },
            new ExperimentCorpus { Name = "recorded", Description = "the corpus at hand", Recipe = "openvoices-simclr-am", Overrides = [.. Common, "training.epochs=40"] },
        ],
        Systems =
        [
            .. from noise in Noise
               from head in Heads
               select new ExperimentSystem(
                   Name(head.Name, noise), $"{head.Title}, {noise} % wrong labels",
                   [string.Create(CultureInfo.InvariantCulture, $"data.labels.noise={noise / 100.0}"), .. head.Overrides])
               {
                   Cell = new GridCell($"{noise} %", head.Title),
                   InQuick = noise < 60,
               },
        ],
        Grid = new ExperimentGrid { Rows = "wrong labels", Columns = [.. Heads.Select(h => h.Title)] },
        Claims =
        [
            .. from noise in NoiseOfClaims
               from head in Heads.Skip(1)
               select Claim.Higher(Measure.Eer, Name("softmax", noise), Name(head.Name, noise), $"Plain softmax is worse than {head.Title} with {noise} % wrong labels."),
            .. from head in Heads
               where head.Name is "am" or "cosface" or "oc" or "adaface"
               select Claim.Lower(Measure.Eer, Name(head.Name, 40), Name("aam", 40), $"{head.Title} is better than AAM with 40 % wrong labels."),
        ],
    };

    private static string[] Common => ["objective.kind=supervised", "objective.margin=0", "objective.marginCurve=cosine", "data.views=1", "data.pairing=random"];

    private static string Name(string head, int noise) => string.Create(CultureInfo.InvariantCulture, $"{head}-{noise}");
}
