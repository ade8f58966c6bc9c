using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>Options of <see cref="Camsat"/>; the defaults are CAMSAT, <see cref="Imsat"/> is the method that it extends.</summary>
public sealed record CamsatOptions
{
    /// <summary>IMSAT: no consistency and no symmetry under augmentation, so that views play no part.</summary>
    public static CamsatOptions Imsat { get; } = new() { ConsistencyWeight = 0, SymmetryWeight = 0 };

    /// <summary>K, classes of the network, 2 or more: an upper bound of the clusters that are found. One to two times the number expected is usual.</summary>
    public int Clusters { get; init; } = 100;

    /// <summary>Width of the hidden layers, 1 or more.</summary>
    public int HiddenWidth { get; init; } = 1200;

    /// <summary>Hidden layers (linear map, batch norm, ReLU), 1 or more.</summary>
    public int HiddenLayers { get; init; } = 2;

    /// <summary>Passes over the rows, 1 or more.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary>Rows of a step, 2 or more; all rows where there are fewer.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Adam's first step size, above 0; it falls to 0 along a cosine.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>λ, 0 or more: weight of information maximisation, H(Y|X) − μ H(Y).</summary>
    public double InformationWeight { get; init; } = 0.1;

    /// <summary>μ, 0 or more: weight of the entropy of the marginal. Too large makes all clusters equal in size, too small loses clusters.</summary>
    public double MarginalWeight { get; init; } = 4;

    /// <summary>
    /// Share of a batch in the running marginal, above 0 to 1; the gradient reaches this share only. 1 takes the marginal of the batch alone, whose
    /// entropy cannot exceed the logarithm of <see cref="BatchSize"/>. 0 takes 1 where a batch has as many rows as there are clusters or more, else
    /// <see cref="BatchSize"/> / <see cref="Clusters"/>.
    /// </summary>
    public double MarginalShare { get; init; }

    /// <summary>Weight of virtual adversarial training, 0 or more.</summary>
    public double AdversarialWeight { get; init; } = 1;

    /// <summary>How far a row is moved, in distances to its <see cref="AdversarialNeighbour"/>th neighbour, 0 or more.</summary>
    public double AdversarialRadius { get; init; } = 0.25;

    /// <summary>Which neighbour that is, 1 or more; the farthest there is where there are fewer.</summary>
    public int AdversarialNeighbour { get; init; } = 10;

    /// <summary>ξ, above 0: distance at which the power iteration measures the gradient.</summary>
    public double AdversarialStep { get; init; } = 10;

    /// <summary>Weight of KL(prediction ‖ prediction of a view), the mean over views; 0 or more.</summary>
    public double ConsistencyWeight { get; init; } = 1;

    /// <summary>Weight of the divergence of views from the mixture of all views; 0 or more.</summary>
    public double SymmetryWeight { get; init; } = 1;

    /// <summary>Whether the weights of that mixture are drawn anew for every row and step, uniformly over the simplex, instead of being equal.</summary>
    public bool RandomMixture { get; init; }

    /// <summary>Weight of InfoNCE, 0 or more: the last hidden layer of the first two views of a row finds itself among those of the batch (symmetric NT-Xent).</summary>
    public double InfoNceWeight { get; init; }

    /// <summary>
    /// Weight of SupCon, 0 or more: the last hidden layer of every view of a row finds those of the other views, and of all views of the rows of the batch
    /// that now have the same most probable class, among all views of the batch.
    /// </summary>
    public double SupConWeight { get; init; }

    /// <summary>Weight of mixup, 0 or more: a row mixed with another one shall be predicted as the mixture of their predictions, which are constants.</summary>
    public double MixupWeight { get; init; }

    /// <summary>τ of InfoNCE and SupCon, above 0.</summary>
    public double Temperature { get; init; } = 0.1;

    /// <summary>Views made by noise where the caller gives none, 2 or more.</summary>
    public int NoiseViews { get; init; } = 4;

    /// <summary>How far noise moves a row for these, in distances to its <see cref="AdversarialNeighbour"/>th neighbour, 0 or more.</summary>
    public double NoiseRadius { get; init; } = 0.5;

    /// <summary>Whether rows and views are scaled to unit length first.</summary>
    public bool UnitLength { get; init; } = true;

    /// <summary>Seed of weights, order, directions and noise.</summary>
    public ulong Seed { get; init; }

    internal bool UsesViews => ConsistencyWeight > 0 || SymmetryWeight > 0 || InfoNceWeight > 0 || SupConWeight > 0;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="InvalidOptionException">A value is out of range; the message names it.</exception>
    public void Validate()
    {
        AtLeast(Clusters, 2, "clusters");
        AtLeast(HiddenWidth, 1, "hiddenWidth");
        AtLeast(HiddenLayers, 1, "hiddenLayers");
        AtLeast(Epochs, 1, "epochs");
        AtLeast(BatchSize, 2, "batchSize");
        AtLeast(AdversarialNeighbour, 1, "adversarialNeighbour");
        AtLeast(NoiseViews, 2, "noiseViews");
        NotNegative(InformationWeight, "informationWeight");
        NotNegative(MarginalWeight, "marginalWeight");
        NotNegative(AdversarialWeight, "adversarialWeight");
        NotNegative(AdversarialRadius, "adversarialRadius");
        NotNegative(ConsistencyWeight, "consistencyWeight");
        NotNegative(SymmetryWeight, "symmetryWeight");
        NotNegative(InfoNceWeight, "infoNceWeight");
        NotNegative(SupConWeight, "supConWeight");
        NotNegative(MixupWeight, "mixupWeight");
        NotNegative(NoiseRadius, "noiseRadius");
        Positive(Temperature, "temperature");
        Positive(LearningRate, "learningRate");
        Positive(AdversarialStep, "adversarialStep");
        if (!(MarginalShare is >= 0 and <= 1))
        {
            throw new InvalidOptionException(FormattableString.Invariant($"marginalShare = {MarginalShare}: allowed are 0 (chosen by batch size) to 1."));
        }
    }

    private static void AtLeast(int value, int least, string name)
    {
        if (value < least)
        {
            throw new InvalidOptionException($"{name} = {value}: allowed are {least} or more.");
        }
    }

    private static void NotNegative(double value, string name)
    {
        if (!(value >= 0) || !float.IsFinite((float)value))
        {
            throw new InvalidOptionException(FormattableString.Invariant($"{name} = {value}: allowed are 0 or more."));
        }
    }

    private static void Positive(double value, string name)
    {
        if (!(value > 0) || !float.IsFinite((float)value))
        {
            throw new InvalidOptionException(FormattableString.Invariant($"{name} = {value}: allowed are numbers above 0."));
        }
    }
}
