using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Features;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Features;

/// <summary>
/// Log-mel filterbank energies in torchaudio's or Kaldi's definition: framing, window, power spectrum, mel triangles, log.
/// </summary>
public static partial class Fbank
{
    /// <summary>Computes the features of a batch of waveforms of one length. No gradient flows through this op.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="tables">The features' tables.</param>
    /// <param name="waves">Samples in ±1, f32 [N, L].</param>
    /// <param name="ditherSeed">Seed of the dither; null for none. Noise depends on seed, epoch, row, frame and sample only.</param>
    /// <param name="ditherEpoch">Distinguishes passes over the same data.</param>
    /// <returns>f32 [N, T, F] in the device's workspace, T = <see cref="FeatureSpec.FrameCount"/>(L); not normalised.</returns>
    /// <exception cref="ShapeException">waves is not a matrix, or L is too short for one frame.</exception>
    public static Tensor Forward(Device device, FeatureTables tables, Tensor waves, ulong? ditherSeed = null, long ditherEpoch = 0)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(tables);
        ArgumentNullException.ThrowIfNull(waves);
        if (waves.Shape.Rank != 2)
        {
            throw new ShapeException($"Features need waveforms [N, L], not {waves.Shape}.");
        }

        var spec = tables.Spec;
        int samples = waves.Shape[1];
        if (samples < spec.MinimumSamples)
        {
            throw new ShapeException(
                $"A waveform of {samples} samples is too short for a frame: these features need at least {spec.MinimumSamples} samples.");
        }

        var features = device.Workspace.Rent(new Shape(waves.Shape[0], spec.FrameCount(samples), spec.Bins));
        if (device is CudaDevice cuda)
        {
            CudaForward(cuda, tables, waves, features, ditherSeed, ditherEpoch);
        }
        else
        {
            CpuForward(Cpu.Of(device), tables, waves, features, ditherSeed, ditherEpoch);
        }

        return features;
    }

    // Where the first frame starts; negative where frames are centred.
    private static int FirstStart(FeatureSpec spec) => spec.Flavor == FeatureFlavor.Torchaudio
        ? ((spec.FftLength - spec.FrameLength) / 2) - (spec.FftLength / 2)
        : spec.SnipEdges ? 0 : (spec.FrameShift / 2) - (spec.FrameLength / 2);
}
