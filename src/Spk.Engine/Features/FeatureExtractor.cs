using Spk.Engine.Devices;
using Spk.Engine.Ops.Features;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Features;

/// <summary>Turns waveforms into normalised log-mel features.</summary>
/// <param name="device">Where it runs.</param>
/// <param name="spec">What the features are.</param>
public sealed class FeatureExtractor(Device device, FeatureSpec spec)
{
    private readonly FeatureTables _tables = new(spec);

    /// <summary>The device.</summary>
    public Device Device { get; } = device ?? throw new ArgumentNullException(nameof(device));

    /// <summary>The features.</summary>
    public FeatureSpec Spec => _tables.Spec;

    /// <summary>Filterbank, logarithm and normalisation of a batch of waveforms of one length.</summary>
    /// <param name="waves">Samples in ±1, f32 [N, L], L at least <see cref="FeatureSpec.MinimumSamples"/>.</param>
    /// <param name="ditherSeed">The run's seed in training; null for no dither, as in evaluation.</param>
    /// <param name="ditherEpoch">Distinguishes passes over the same data.</param>
    /// <returns>Features, f32 [N, T, F], in the device's workspace; no gradient flows to the waveform.</returns>
    /// <exception cref="ShapeException">waves is not a matrix or is too short for one frame.</exception>
    public Tensor Compute(Tensor waves, ulong? ditherSeed = null, long ditherEpoch = 0)
    {
        var features = Fbank.Forward(Device, _tables, waves, ditherSeed, ditherEpoch);
        return FeatureNorm.InPlace(features, Spec.Normalization);
    }
}
