namespace Spk.Engine.Clustering;

/// <summary>State after an epoch of <see cref="Camsat"/>. Losses are means over the epoch's steps, in nats and without their weights; NaN where a term is not used.</summary>
public sealed record CamsatEpoch
{
    /// <summary>Epochs done, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>The weighted sum of all terms.</summary>
    public required double Loss { get; init; }

    /// <summary>H(Y|X), entropy of a prediction: 0 for sure ones, log K for none.</summary>
    public required double ConditionalEntropy { get; init; }

    /// <summary>H(Y), entropy of the marginal: log K where all clusters are of one size.</summary>
    public required double MarginalEntropy { get; init; }

    /// <summary>Divergence under the adversarial perturbation.</summary>
    public required double Adversarial { get; init; }

    /// <summary>Divergence of views from the row that they are views of.</summary>
    public required double Consistency { get; init; }

    /// <summary>Divergence of views from their mixture.</summary>
    public required double Symmetry { get; init; }

    /// <summary>Contrast of two views in the last hidden layer.</summary>
    public required double InfoNce { get; init; }

    /// <summary>Contrast of all views, and of rows of one class, in the last hidden layer.</summary>
    public required double SupCon { get; init; }

    /// <summary>Divergence of mixed rows from the mixture of their predictions.</summary>
    public required double Mixup { get; init; }

    /// <summary>Discovered clusters: different most probable classes over all rows.</summary>
    public required int Clusters { get; init; }

    /// <summary>Entropy of the histogram of labels in nats; a fall shows that clusters die.</summary>
    public required double LabelEntropy { get; init; }

    /// <summary>Comparison of the labels with known classes, where they were given.</summary>
    public required ClusterAgreement? Agreement { get; init; }

    /// <summary>Time since the call.</summary>
    public required TimeSpan Elapsed { get; init; }
}
