using System.Globalization;
using Spk.Engine.Alignment;
using Spk.Interop;

namespace Spk.Training.Alignment;

/// <summary>How two embedding spaces are aligned.</summary>
/// <remarks>
/// The networks are Linear – batch norm – ReLU – Linear beside a linear map, which alone is there at first. Variants A and B minimise the mean
/// of ‖f(y) − x̂‖². Variant C minimises L_con + λ_a · L_MSE + λ_r · Σ‖W‖² + λ_o · ‖WᵀW − I‖²: a contrast of each utterance with the
/// speakers' profiles in the other model, and the squared distances of both sides from the anchor space. Sources leave sizes, weights and
/// batches open; these are choices of this library.
/// </remarks>
public sealed record AlignmentSpec
{
    /// <summary>How.</summary>
    public AlignmentVariant Variant { get; init; } = AlignmentVariant.Shared;

    /// <summary>Shared: the space that both sides are held to. Choose that of the better model.</summary>
    public AlignmentAnchor Anchor { get; init; } = AlignmentAnchor.Runtime;

    /// <summary>Shared: λ_a, the weight of the squared distances from the anchor, 0 or more.</summary>
    public double AnchorWeight { get; init; } = 1;

    /// <summary>λ_r, the weight of the squared weights, 0 or more.</summary>
    public double WeightPenalty { get; init; } = 1e-4;

    /// <summary>λ_o, the weight of the distance of the linear maps from orthogonal ones, 0 or more.</summary>
    public double OrthogonalPenalty { get; init; }

    /// <summary>Hidden units, 1 to 65536.</summary>
    public int Hidden { get; init; } = 512;

    /// <summary>What the networks are before training.</summary>
    public AlignmentStart Start { get; init; } = AlignmentStart.Procrustes;

    /// <summary>Most epochs, 1 or more.</summary>
    public int Epochs { get; init; } = 50;

    /// <summary>Epochs without a lower error on the held-back speakers before training stops; 0 never stops early.</summary>
    public int Patience { get; init; } = 10;

    /// <summary>Adam's learning rate, above 0.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Speakers of a batch, 2 or more.</summary>
    public int Speakers { get; init; } = 32;

    /// <summary>Vectors of each speaker in a batch, 2 or more.</summary>
    public int Vectors { get; init; } = 4;

    /// <summary>Most utterances that are averaged into a vector, 1 or more; stored profiles are averages.</summary>
    public int Averaged { get; init; } = 10;

    /// <summary>Share of the vectors that are averages, 0 to 1; the others are of single utterances.</summary>
    public double AveragedShare { get; init; } = 0.5;

    /// <summary>Share of the speakers that are held back to choose the epoch by, 0 (none) to below 1.</summary>
    public double HeldBack { get; init; } = 0.2;

    /// <summary>False acceptance rate at which false rejections are counted to choose the epoch, in (0, 1).</summary>
    public double TargetFar { get; init; } = 0.05;

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it.</exception>
    public void Validate()
    {
        Require(Enum.IsDefined(Variant), "variant", (double)Variant, "one of the five");
        Require(Enum.IsDefined(Anchor), "anchor", (double)Anchor, "runtime, enrolment or none");
        Require(Enum.IsDefined(Start), "start", (double)Start, "procrustes, identity or random");
        Require(AnchorWeight >= 0 && double.IsFinite(AnchorWeight), "anchor weight", AnchorWeight, "0 or more");
        Require(WeightPenalty >= 0 && double.IsFinite(WeightPenalty), "weight penalty", WeightPenalty, "0 or more");
        Require(OrthogonalPenalty >= 0 && double.IsFinite(OrthogonalPenalty), "orthogonal penalty", OrthogonalPenalty, "0 or more");
        Require(Hidden is >= 1 and <= 65536, "hidden", Hidden, "1 to 65536");
        Require(Epochs >= 1, "epochs", Epochs, "1 or more");
        Require(Patience >= 0, "patience", Patience, "0 (never stop early) or more");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), "learning rate", LearningRate, "above 0");
        Require(Speakers >= 2, "speakers", Speakers, "2 or more");
        Require(Vectors >= 2, "vectors", Vectors, "2 or more");
        Require(Averaged >= 1, "averaged", Averaged, "1 or more");
        Require(AveragedShare is >= 0 and <= 1, "averaged share", AveragedShare, "0 to 1");
        Require(HeldBack is >= 0 and < 1, "held back", HeldBack, "a fraction from 0 (none) to below 1");
        Require(TargetFar is > 0 and < 1, "target FAR", TargetFar, "a fraction between 0 and 1");
    }

    private static void Require(bool holds, string field, double value, string allowed)
    {
        if (!holds)
        {
            throw new InvalidOptionException($"alignment: {field} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: allowed is {allowed}.");
        }
    }
}
