using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Audio;

/// <summary>
/// Change of sample rate by a polyphase windowed sinc (Kaiser, 64 zero crossings, about 99 dB of stop-band attenuation): flat to
/// 90 % of the lower Nyquist frequency, closed above it. Every phase has a gain of exactly 1 for a constant.
/// </summary>
public static partial class Resample
{
    /// <summary>Lowest and highest sample rate in Hz.</summary>
    public const int MinimumRate = 1000, MaximumRate = 384000;

    /// <summary>Resamples a batch of waveforms. No gradient flows through this op.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="waves">f32 [N, L], contiguous or not.</param>
    /// <param name="fromRate">Sample rate of the input in Hz.</param>
    /// <param name="toRate">Wanted sample rate in Hz.</param>
    /// <returns>f32 [N, ⌈L · toRate / fromRate⌉] in the device's workspace; the input itself where the rates agree.</returns>
    /// <exception cref="ShapeException">waves is not a matrix.</exception>
    /// <exception cref="InvalidOptionException">A rate is outside 1000 to 384000 Hz.</exception>
    public static Tensor Forward(Device device, Tensor waves, int fromRate, int toRate)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(waves);
        if (waves.Shape.Rank != 2)
        {
            throw new ShapeException($"Resampling needs waveforms [N, L], not {waves.Shape}.");
        }

        if (fromRate == toRate)
        {
            CheckRates(fromRate, toRate);
            return waves;
        }

        var tables = Tables(fromRate, toRate);
        var y = device.Workspace.Rent(new Shape(waves.Shape[0], OutputLength(waves.Shape[1], fromRate, toRate)));
        if (device is CudaDevice cuda)
        {
            CudaForward(cuda, tables, waves, y);
        }
        else
        {
            CpuForward(Cpu.Of(device), tables, waves, y);
        }

        return y;
    }

    /// <summary>Resamples one waveform on the calling thread.</summary>
    /// <param name="samples">The waveform.</param>
    /// <param name="fromRate">Its sample rate in Hz.</param>
    /// <param name="toRate">Wanted sample rate in Hz.</param>
    /// <returns>⌈length · toRate / fromRate⌉ samples; a copy where the rates agree.</returns>
    /// <exception cref="InvalidOptionException">A rate is outside 1000 to 384000 Hz.</exception>
    public static unsafe float[] Run(ReadOnlySpan<float> samples, int fromRate, int toRate)
    {
        if (fromRate == toRate)
        {
            CheckRates(fromRate, toRate);
            return samples.ToArray();
        }

        var tables = Tables(fromRate, toRate);
        var y = new float[OutputLength(samples.Length, fromRate, toRate)];
        fixed (float* from = samples, to = y)
        {
            Filter(tables.View, from, samples.Length, to, 0, y.Length);
        }

        GC.KeepAlive(tables);
        return y;
    }

    /// <summary>How many samples a waveform has afterwards.</summary>
    /// <param name="samples">Samples before, 0 or more.</param>
    /// <param name="fromRate">Sample rate before, in Hz.</param>
    /// <param name="toRate">Sample rate afterwards, in Hz.</param>
    /// <returns>⌈samples · toRate / fromRate⌉.</returns>
    /// <exception cref="InvalidOptionException">A rate is outside 1000 to 384000 Hz.</exception>
    public static int OutputLength(int samples, int fromRate, int toRate)
    {
        CheckRates(fromRate, toRate);
        return checked((int)((((long)samples * toRate) + fromRate - 1) / fromRate));
    }

    private static void CheckRates(int fromRate, int toRate)
    {
        if (fromRate is < MinimumRate or > MaximumRate || toRate is < MinimumRate or > MaximumRate)
        {
            throw new InvalidOptionException($"Resampling from {fromRate} to {toRate} Hz: allowed are {MinimumRate} to {MaximumRate} Hz.");
        }
    }
}
