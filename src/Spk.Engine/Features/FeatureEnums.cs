namespace Spk.Engine.Features;

/// <summary>Which of the two incompatible filterbank definitions a model was trained with.</summary>
public enum FeatureFlavor
{
    /// <summary>
    /// torchaudio's MelSpectrogram: frames centred on multiples of the shift (reflected ends), periodic window, HTK mel scale,
    /// triangles linear in Hz over all bins, log(e + floor).
    /// </summary>
    Torchaudio,

    /// <summary>
    /// Kaldi's fbank: mean removal and pre-emphasis per frame, symmetric window, triangles linear in mel without the Nyquist
    /// bin, log(max(e, floor)).
    /// </summary>
    Kaldi,
}

/// <summary>Analysis window.</summary>
public enum WindowKind
{
    /// <summary>0.54 − 0.46 cos.</summary>
    Hamming,

    /// <summary>0.5 − 0.5 cos.</summary>
    Hann,

    /// <summary>Kaldi's default: (0.5 − 0.5 cos)^0.85.</summary>
    Povey,

    /// <summary>All ones.</summary>
    Rectangular,
}

/// <summary>What is done to each utterance's features over time, for every mel bin by itself.</summary>
public enum FeatureNormalization
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The mean is subtracted (Kaldi's CMN).</summary>
    Mean,

    /// <summary>The mean is subtracted and the result divided by √(biased variance + 1e-5) (instance norm without affine).</summary>
    Instance,
}
