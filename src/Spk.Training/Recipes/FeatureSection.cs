using Spk.Engine.Features;

namespace Spk.Training.Recipes;

/// <summary>The features: a preset with single fields changed.</summary>
public sealed record FeatureSection
{
    /// <summary>Name of the preset that absent fields take their values from.</summary>
    public string Preset { get; init; } = "torchaudio-mel40";

    /// <summary>The resolved features.</summary>
    public FeatureSpec Spec { get; init; } = FeatureSpec.TorchaudioMel40;
}
