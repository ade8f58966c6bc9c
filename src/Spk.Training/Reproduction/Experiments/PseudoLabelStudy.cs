using Spk.Training.Data;
using Spk.Training.PseudoLabelling;

namespace Spk.Training.Reproduction.Experiments;

/// <summary>Which measure of pseudo-labels tells how good a model trained on them becomes, and what mixing does against their errors (methods.md 14.1).</summary>
internal static class PseudoLabelStudy
{
    private const string Base = "simclr", Plain = "plain", InputMix = "i-mix", PooledMix = "l-mix", Below = "accuracy below 50 %", Above = "accuracy above 50 %";

    private static readonly string[] Classical = ["kmeans", "ahc"], Deep = ["camsat", "imsat"];
    private static readonly RowNormalization[] Normalizations = [RowNormalization.UnitLength, RowNormalization.Standardized];
    private static readonly double[] ClustersPerSpeaker = [0.5, 1, 1.7, 3];

    private static readonly (string Title, string[] Overrides)[] Treatments =
        [(Plain, []), (InputMix, ["objective.mix.kind=input"]), (PooledMix, ["objective.mix.kind=pooled"])];

    private static readonly Measure Accuracy = Label("accuracy", "ACC");
    private static readonly Measure Completeness = Label("completeness", "completeness");

    public static Experiment Experiment { get; } = new()
    {
        Name = "pseudo-labels",
        Title = "Pseudo-labels: which measure predicts the EER, and what mixing does against wrong labels",
        Paper = "A study of 122 sets of pseudo-labels for speaker verification, with i-mix (Lee et al., arXiv:2010.08887) and l-mix",
        Summary = "SimCLR embeds the training utterances. They are clustered by several methods, into fewer and more clusters than there are speakers, after scaling rows to unit length or "
            + "elements to deviation 1. On every set of clusters a classifier (AM-Softmax, its margin rising over the first half) is trained from random weights, plainly and with inputs (i-mix) or "
            + "pooled vectors (l-mix) mixed. How do the measures of the clusters correlate with the EER of the model trained on them? Methods are classical (k-means and trees) and "
            + "deep (CAMSAT and IMSAT, with noise on the embeddings as views). Mixtures are left out: with few utterances a cluster they give the labels of k-means again, and a row that is there "
            + "twice makes intervals too narrow.",
        Corpora =
        [
            new ExperimentCorpus
            {
                Name = "voices",
                Description = "synthetic voices with channels",
                Recipe = "demo",
                Overrides = ["training.epochs=16"],
                Voices = new SyntheticVoicesSpec { Speakers = 100, EvaluationSpeakers = 40, UtterancesPerSpeaker = 10, SessionsPerSpeaker = 4, ChannelStrength = 0.4f },
                QuickOverrides = ["training.epochs=12"],
                QuickVoices = new SyntheticVoicesSpec { Speakers = 40, EvaluationSpeakers = 24, UtterancesPerSpeaker = 10, SessionsPerSpeaker = 4, ChannelStrength = 0.4f },
            },
            new ExperimentCorpus { Name = "recorded", Description = "the corpus at hand", Recipe = "openvoices-simclr-am" },
        ],
        Systems = [new(Base, "SimCLR, whose embeddings are clustered"), .. Systems()],
        Grid = new ExperimentGrid
        {
            Rows = "pseudo-labels",
            Columns = [.. Treatments.Select(t => t.Title)],
            Predictors =
            [
                Accuracy, Label("nmi", "NMI"), Completeness, Label("ami", "AMI"), Label("clusters", "clusters"), Label("homogeneity", "homogeneity"), Label("fowlkesMallows", "FMI"),
                Label("purity", "purity"), Label("silhouette", "silhouette"), Label("calinskiHarabasz", "CHS"), Label("daviesBouldin", "DBS"),
            ],
            Groups = [new("all", [.. Treatments.Select(t => t.Title)])],
            Splits =
            [
                new("classical", (system, _) => Classical.Contains(system.Labels?.Clustering.Method)),
                new("deep", (system, _) => Deep.Contains(system.Labels?.Clustering.Method)),
                new("standardised elements", (system, _) => system.Labels?.Clustering.Normalization == RowNormalization.Standardized),
                new("unit length", (system, _) => system.Labels?.Clustering.Normalization == RowNormalization.UnitLength),
                new(Above, (_, quantities) => quantities.GetValueOrDefault(Accuracy.Key) >= 0.5),
                new(Below, (_, quantities) => quantities.GetValueOrDefault(Accuracy.Key) < 0.5),
            ],
            Claims =
            [
                new("Completeness predicts the EER best of all measures.", Plain, Completeness),
                new("i-mix lowers the EER, over all sets of labels.", InputMix, Than: Plain),
                new("l-mix lowers the EER, over all sets of labels.", PooledMix, Than: Plain),
                new("i-mix lowers the EER where fewer than half of the labels are right.", InputMix, Than: Plain, Split: Below),
                new("l-mix lowers the EER where fewer than half of the labels are right.", PooledMix, Than: Plain, Split: Below),
            ],
        },
        Claims =
        [
            Claim.Lower(Measure.Eer, "kmeans-1S-unit-plain", Base, "Training on the clusters of embeddings lowers the EER against those embeddings (k-means, as many clusters as speakers)."),
            Claim.Lower(Measure.Eer, "ahc-1S-unit-plain", Base, "So does training on the clusters of a tree."),
            Claim.Lower(Measure.Eer, "ahc-1S-unit-plain", "kmeans-1S-unit-plain", "Clusters of a tree are better labels than those of k-means."),
        ],
    };

    private static IEnumerable<ExperimentSystem> Systems() =>
        from method in (string[])[.. Classical, .. Deep]
        from clusters in ClustersPerSpeaker
        from normalization in Normalizations
        let labels = new LabelSource(Base, new ClusteringSpec { Method = method, Normalization = normalization }, clusters)
        from treatment in Treatments
        select new ExperimentSystem(
            $"{labels.Name}-{treatment.Title.Replace(' ', '-')}", $"{labels.Name}, {treatment.Title}",
            [
                "objective.kind=supervised", "objective.marginKind=additive", "objective.margin=0.2", "objective.marginCurve=cosine", "data.views=1", "data.pairing=random",
                "training.epochs=120", .. treatment.Overrides,
            ])
        {
            QuickOverrides = ["training.epochs=100"],
            Labels = labels,
            Cell = new GridCell(labels.Name, treatment.Title),
            InQuick = method is ("kmeans" or "ahc") && clusters is (0.5 or 1 or 3),
        };

    private static Measure Label(string name, string title) => Measure.Quantity(LabelStage.Prefix + name, title);
}
