namespace Spk.Engine.Features;

/// <summary>Triangular mel filters, stored as one run of weights per filter.</summary>
internal sealed class MelBank
{
    private MelBank(int[] starts, double[][] weights) => (Starts, Weights) = (starts, weights);

    /// <summary>First Fourier bin with a weight above 0, per filter.</summary>
    public int[] Starts { get; }

    /// <summary>Weights from there on, per filter; empty where a filter falls between two Fourier bins.</summary>
    public double[][] Weights { get; }

    /// <summary>Builds the bank of a spec.</summary>
    public static MelBank Create(FeatureSpec spec)
    {
        bool kaldi = spec.Flavor == FeatureFlavor.Kaldi;
        Func<double, double> toMel = kaldi ? hz => 1127.0 * Math.Log(1 + (hz / 700)) : hz => 2595.0 * Math.Log10(1 + (hz / 700));
        double low = toMel(spec.LowHz), high = toMel(spec.UpperHz);
        var edges = new double[spec.Bins + 2];
        for (int i = 0; i < edges.Length; i++)
        {
            double mel = low + ((high - low) * i / (spec.Bins + 1));
            // The axis on which the triangles are straight: mel for Kaldi, Hz for torchaudio.
            edges[i] = kaldi ? mel : 700 * (Math.Pow(10, mel / 2595) - 1);
        }

        // Kaldi leaves the Nyquist bin out.
        int bins = (spec.FftLength / 2) + (kaldi ? 0 : 1);
        var starts = new int[spec.Bins];
        var weights = new double[spec.Bins][];
        for (int filter = 0; filter < spec.Bins; filter++)
        {
            double left = edges[filter], center = edges[filter + 1], right = edges[filter + 2];
            var run = new List<double>();
            for (int bin = 0; bin < bins; bin++)
            {
                double hz = (double)bin * spec.SampleRate / spec.FftLength;
                double x = kaldi ? toMel(hz) : hz;
                double weight = Math.Min((x - left) / (center - left), (right - x) / (right - center));
                if (weight > 0)
                {
                    if (run.Count == 0)
                    {
                        starts[filter] = bin;
                    }

                    run.Add(weight);
                }
            }

            weights[filter] = [.. run];
        }

        return new MelBank(starts, weights);
    }
}
