using Spk.Interop;

namespace Spk.Engine.Verification;

/// <summary>Gathers, chunk by chunk, what tells whether a recording can be used at all.</summary>
internal struct RecordingCheck(VerifierOptions options, int sampleRate, string name = "The recording")
{
    // The largest 16-bit sample, less a rounding.
    private const float FullScale = 0.9999f;

    private long _samples, _clipped;
    private double _energy;

    /// <exception cref="NonFiniteException">A sample is NaN or infinite.</exception>
    public void Add(ReadOnlySpan<float> samples)
    {
        double energy = 0;
        int clipped = 0;
        foreach (float sample in samples)
        {
            energy += (double)sample * sample;
            clipped += MathF.Abs(sample) >= FullScale ? 1 : 0;
        }

        if (!double.IsFinite(energy))
        {
            int bad = 0;
            while (float.IsFinite(samples[bad]))
            {
                bad++;
            }

            throw new NonFiniteException($"{name} has the sample {samples[bad]} at {_samples + bad}: only finite samples can be embedded.");
        }

        _energy += energy;
        _clipped += clipped;
        _samples += samples.Length;
    }

    /// <exception cref="UnusableAudioException">The recording is too short, silent or clipped.</exception>
    public readonly void Finish()
    {
        double seconds = (double)_samples / sampleRate;
        if (_samples == 0 || seconds < options.MinimumSeconds)
        {
            throw new UnusableAudioException(FormattableString.Invariant($"{name} lasts {seconds:F2} s where {options.MinimumSeconds:0.##} s or more are needed: record again."));
        }

        double decibels = 10 * Math.Log10(_energy / _samples);
        if (!(decibels >= options.SilenceDecibels))
        {
            throw new UnusableAudioException(FormattableString.Invariant(
                $"{name} is silent, {(_energy == 0 ? "all zeros" : $"{decibels:F0} dB of full scale")}, where {options.SilenceDecibels:0.#} dB or more are needed: check the microphone and record again."));
        }

        if ((double)_clipped / _samples > options.MaximumClipped)
        {
            throw new UnusableAudioException(FormattableString.Invariant(
                $"{name} is clipped, {100.0 * _clipped / _samples:F1} % of its samples are at or beyond full scale (±1), where {100 * options.MaximumClipped:0.#} % are allowed: record again at a lower level."));
        }
    }
}
