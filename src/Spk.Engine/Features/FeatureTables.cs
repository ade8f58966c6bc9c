using Spk.Engine.Numerics;

namespace Spk.Engine.Features;

/// <summary>
/// What a <see cref="FeatureSpec"/> means in numbers: window, twiddles, mel weights. Made once, read by any number of threads.
/// </summary>
public sealed class FeatureTables
{
    /// <summary>Computes the tables.</summary>
    /// <param name="spec">The features; validated here.</param>
    /// <exception cref="Spk.Interop.InvalidOptionException">A field of the spec is outside its range.</exception>
    public FeatureTables(FeatureSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        spec.Validate();
        Spec = spec;
        bool periodic = spec.Flavor == FeatureFlavor.Torchaudio;
        var window = AnalysisWindow.Create(spec.Window, spec.FrameLength, periodic);
        Window = Lanes.Table(window.Length);
        for (int i = 0; i < window.Length; i++)
        {
            Window[i] = (float)(window[i] * spec.Scale);
        }

        int half = spec.FftLength / 2;
        Fft = new LaneFft(half);
        Twiddles = Lanes.Table(2 * ((half / 2) + 1));
        for (int k = 0; k <= half / 2; k++)
        {
            var (sin, cos) = Math.SinCos(-2 * Math.PI * k / spec.FftLength);
            Twiddles[2 * k] = (float)cos;
            Twiddles[(2 * k) + 1] = (float)sin;
        }

        var bank = MelBank.Create(spec);
        MelRanges = GC.AllocateArray<int>(2 * spec.Bins, pinned: true);
        MelWeights = Lanes.Table(Math.Max(1, bank.Weights.Sum(w => w.Length)));
        int next = 0;
        for (int filter = 0; filter < spec.Bins; filter++)
        {
            MelRanges[2 * filter] = bank.Starts[filter];
            MelRanges[(2 * filter) + 1] = bank.Weights[filter].Length;
            foreach (double weight in bank.Weights[filter])
            {
                MelWeights[next++] = (float)weight;
            }
        }
    }

    /// <summary>The features these tables are for.</summary>
    public FeatureSpec Spec { get; }

    /// <summary>Window times scale, one value per sample of a frame; pinned.</summary>
    internal float[] Window { get; }

    /// <summary>Complex transform of half the length.</summary>
    internal LaneFft Fft { get; }

    /// <summary>cos, sin of −2πk/length for k = 0 to length/4; pinned.</summary>
    internal float[] Twiddles { get; }

    /// <summary>First Fourier bin and number of bins of each filter; pinned.</summary>
    internal int[] MelRanges { get; }

    /// <summary>All filters' weights in a row; pinned.</summary>
    internal float[] MelWeights { get; }
}
