using Spk.Interop;

namespace Spk.Engine.Features;

/// <summary>
/// Everything that decides what a log-mel feature is. A model file stores it, and a model refuses features of another kind.
/// </summary>
/// <remarks>
/// Start from a preset and change single fields with a <c>with</c> expression. The flavours follow torchaudio's
/// MelSpectrogram as used by sslsv and Kaldi's fbank as used by wespeaker.
/// </remarks>
public sealed partial record FeatureSpec
{
    private static readonly FeatureSpec Kaldi = new()
    {
        Flavor = FeatureFlavor.Kaldi,
        Bins = 80,
        LowHz = 20,
        Preemphasis = 0.97f,
        RemoveMean = true,
        Scale = 32768f,
        LogFloor = 1.1920929e-7f,
        Normalization = FeatureNormalization.Mean,
    };

    /// <summary>40 mel bins, Hamming, instance norm: SimCLR, MoCo and margin losses.</summary>
    public static FeatureSpec TorchaudioMel40 { get; } = new();

    /// <summary>80 mel bins, Hamming, instance norm: DINO.</summary>
    public static FeatureSpec TorchaudioMel80 { get; } = new() { Bins = 80 };

    /// <summary>80 mel bins, Hann, instance norm: DINO+ and SSPS.</summary>
    public static FeatureSpec TorchaudioMel80Hann { get; } = new() { Bins = 80, Window = WindowKind.Hann };

    /// <summary>Kaldi's 80 bins with wespeaker's Hamming window and mean normalisation.</summary>
    public static FeatureSpec KaldiFbank80 { get; } = Kaldi;

    /// <summary>Kaldi's 40 bins, otherwise as <see cref="KaldiFbank80"/>.</summary>
    public static FeatureSpec KaldiFbank40 { get; } = Kaldi with { Bins = 40 };

    /// <summary>Kaldi's 80 bins with Kaldi's own default window (povey) and no normalisation.</summary>
    public static FeatureSpec KaldiFbank80Povey { get; } = Kaldi with { Window = WindowKind.Povey, Normalization = FeatureNormalization.None };

    /// <summary>Names that <see cref="Preset"/> knows.</summary>
    public static IReadOnlyList<string> PresetNames { get; } =
        ["torchaudio-mel40", "torchaudio-mel80", "torchaudio-mel80-hann", "kaldi-fbank80", "kaldi-fbank40", "kaldi-fbank80-povey"];

    /// <summary>Filterbank definition.</summary>
    public FeatureFlavor Flavor { get; init; } = FeatureFlavor.Torchaudio;

    /// <summary>Sample rate of the waveforms, 1000 to 384000 Hz.</summary>
    public int SampleRate { get; init; } = 16000;

    /// <summary>Mel bins F, 1 to 512.</summary>
    public int Bins { get; init; } = 40;

    /// <summary>Frame length in milliseconds, 1 to 1000 and at least two samples.</summary>
    public float FrameLengthMs { get; init; } = 25;

    /// <summary>Frame shift in milliseconds, above 0 and at least one sample.</summary>
    public float FrameShiftMs { get; init; } = 10;

    /// <summary>Analysis window.</summary>
    public WindowKind Window { get; init; } = WindowKind.Hamming;

    /// <summary>Lower edge of the first triangle in Hz, 0 or more.</summary>
    public float LowHz { get; init; }

    /// <summary>Upper edge of the last triangle in Hz; 0 or a negative value counts from the Nyquist frequency.</summary>
    public float HighHz { get; init; }

    /// <summary>Factor on the waveform (Kaldi works on the 16-bit scale: 32768), above 0.</summary>
    public float Scale { get; init; } = 1f;

    /// <summary>Pre-emphasis coefficient, 0 to 1; Kaldi flavour only.</summary>
    public float Preemphasis { get; init; }

    /// <summary>
    /// Deviation of the Gaussian noise added to every frame in training, on the scaled waveform; 0 or more; Kaldi flavour
    /// only. Without a dither seed (evaluation) none is added.
    /// </summary>
    public float Dither { get; init; }

    /// <summary>Whether each frame's mean is subtracted first; Kaldi flavour only.</summary>
    public bool RemoveMean { get; init; }

    /// <summary>
    /// Kaldi flavour: true keeps only frames inside the waveform; false centres frames and mirrors the ends. The torchaudio
    /// flavour always centres.
    /// </summary>
    public bool SnipEdges { get; init; } = true;

    /// <summary>Whether the bank sums |X|² (true) or |X|.</summary>
    public bool UsePower { get; init; } = true;

    /// <summary>Whether the natural logarithm is taken.</summary>
    public bool UseLog { get; init; } = true;

    /// <summary>Keeps the logarithm finite, above 0: added to the energy (torchaudio) or its smallest value (Kaldi).</summary>
    public float LogFloor { get; init; } = 1e-6f;

    /// <summary>Normalisation over time.</summary>
    public FeatureNormalization Normalization { get; init; } = FeatureNormalization.Instance;

    /// <summary>Samples of a frame.</summary>
    public int FrameLength => (int)(SampleRate * (double)FrameLengthMs * 0.001);

    /// <summary>Samples from one frame to the next.</summary>
    public int FrameShift => (int)(SampleRate * (double)FrameShiftMs * 0.001);

    /// <summary>Length of the Fourier transform: the smallest power of two that holds a frame.</summary>
    public int FftLength => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(2, FrameLength));

    /// <summary>Fewest samples that give a frame.</summary>
    public int MinimumSamples => Flavor == FeatureFlavor.Torchaudio ? (FftLength / 2) + 1
        : SnipEdges ? FrameLength : Math.Max(1, FrameShift - (FrameShift / 2));

    /// <summary>Upper edge of the last triangle, resolved to a frequency in Hz.</summary>
    public float UpperHz => HighHz > 0 ? HighHz : (SampleRate / 2f) + HighHz;

    /// <summary>A preset by name.</summary>
    /// <param name="name">One of <see cref="PresetNames"/>.</param>
    /// <returns>The preset.</returns>
    /// <exception cref="InvalidOptionException">The name is unknown; the message lists those known.</exception>
    public static FeatureSpec Preset(string name) => name switch
    {
        "torchaudio-mel40" => TorchaudioMel40,
        "torchaudio-mel80" => TorchaudioMel80,
        "torchaudio-mel80-hann" => TorchaudioMel80Hann,
        "kaldi-fbank80" => KaldiFbank80,
        "kaldi-fbank40" => KaldiFbank40,
        "kaldi-fbank80-povey" => KaldiFbank80Povey,
        _ => throw new InvalidOptionException($"Unknown feature preset '{name}': allowed are {string.Join(", ", PresetNames)}."),
    };

    /// <summary>Frames T that a waveform of so many samples gives; 0 where it is too short.</summary>
    /// <param name="samples">Waveform length, 0 or more.</param>
    /// <returns>Number of frames.</returns>
    public int FrameCount(int samples)
    {
        if (samples < MinimumSamples)
        {
            return 0;
        }

        return Flavor == FeatureFlavor.Torchaudio ? 1 + (samples / FrameShift)
            : SnipEdges ? 1 + ((samples - FrameLength) / FrameShift)
            : (int)((samples + ((long)FrameShift / 2)) / FrameShift);
    }

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is outside its range; the message names it.</exception>
    public void Validate()
    {
        Require(Enum.IsDefined(Flavor), "flavor", Flavor, "torchaudio or kaldi");
        Require(Enum.IsDefined(Window), "window", Window, "hamming, hann, povey or rectangular");
        Require(Enum.IsDefined(Normalization), "normalization", Normalization, "none, mean or instance");
        Require(SampleRate is >= 1000 and <= 384000, "sampleRate", SampleRate, "1000 to 384000 Hz");
        Require(Bins is >= 1 and <= 512, "bins", Bins, "1 to 512");
        Require(FrameLengthMs is >= 1 and <= 1000, "frameLengthMs", FrameLengthMs, "1 to 1000 ms");
        Require(FrameLength >= 2, "frameLengthMs", FrameLengthMs, "at least two samples");
        Require(FrameShiftMs is > 0 and <= 1000 && FrameShift >= 1, "frameShiftMs", FrameShiftMs, "at least one sample, at most 1000 ms");
        Require(LowHz >= 0 && LowHz < UpperHz, "lowHz", LowHz, $"0 or more and below the upper edge of {UpperHz} Hz");
        Require(UpperHz <= SampleRate / 2f, "highHz", HighHz, $"at most the Nyquist frequency of {SampleRate / 2f} Hz");
        Require(Scale > 0 && float.IsFinite(Scale), "scale", Scale, "a finite value above 0");
        Require(Preemphasis is >= 0 and <= 1, "preemphasis", Preemphasis, "0 to 1");
        Require(Dither >= 0 && float.IsFinite(Dither), "dither", Dither, "a finite value of 0 or more");
        Require(LogFloor > 0 && float.IsFinite(LogFloor), "logFloor", LogFloor, "a finite value above 0");
        if (Flavor == FeatureFlavor.Torchaudio)
        {
            Require(Preemphasis == 0, "preemphasis", Preemphasis, "0 in the torchaudio flavour");
            Require(Dither == 0, "dither", Dither, "0 in the torchaudio flavour");
            Require(!RemoveMean, "removeMean", RemoveMean, "false in the torchaudio flavour");
        }
    }

    private static void Require<T>(bool holds, string field, T value, string allowed)
    {
        if (!holds)
        {
            throw new InvalidOptionException($"features.{field} = {value}: allowed is {allowed}.");
        }
    }
}
