namespace Spk.Training.Data;

/// <summary>How the two crops of one utterance lie to each other.</summary>
public enum CropPairing
{
    /// <summary>Each at a random place; they may overlap.</summary>
    Random,

    /// <summary>Beside each other; where the utterance is shorter than two crops, overlapping as little as it allows.</summary>
    Apart,
}
