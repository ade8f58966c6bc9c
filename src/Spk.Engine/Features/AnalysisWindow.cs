namespace Spk.Engine.Features;

/// <summary>Analysis windows in f64.</summary>
internal static class AnalysisWindow
{
    /// <summary>The window's values.</summary>
    /// <param name="kind">Which window.</param>
    /// <param name="length">Samples, at least 2.</param>
    /// <param name="periodic">True divides the angle by the length (torchaudio), false by length − 1 (Kaldi).</param>
    public static double[] Create(WindowKind kind, int length, bool periodic)
    {
        var window = new double[length];
        double step = 2 * Math.PI / (periodic ? length : length - 1);
        for (int i = 0; i < length; i++)
        {
            double cos = Math.Cos(step * i);
            window[i] = kind switch
            {
                WindowKind.Hamming => 0.54 - (0.46 * cos),
                WindowKind.Hann => 0.5 - (0.5 * cos),
                WindowKind.Povey => Math.Pow(Math.Max(0, 0.5 - (0.5 * cos)), 0.85),
                _ => 1.0,
            };
        }

        return window;
    }
}
