namespace Spk.Engine.Numerics;

/// <summary>The low-pass kernel of resampling and speed change: a sinc under a Kaiser window.</summary>
/// <param name="crossings">Zero crossings of the sinc on each side.</param>
/// <param name="beta">
/// Kaiser parameter: the stop band lies A = 8.7 + 9.07 beta dB below, and the transition is (A − 8) / (14.36 crossings) wide as a
/// share of the cut-off frequency.
/// </param>
internal sealed class KaiserSinc(int crossings, double beta)
{
    // Window values between which the fast lookup interpolates; the error is below 1e-7.
    private const int Steps = 4096;

    private readonly double[] _window = Sample(beta);

    /// <summary>The cut-off that puts the stop band's begin at the lower of two Nyquist frequencies.</summary>
    /// <param name="step">Input samples per output sample.</param>
    /// <returns>Cut-off frequency in units of the input's Nyquist frequency.</returns>
    public double Cutoff(double step)
    {
        double transition = (0.7 + (9.07 * beta)) / (14.36 * crossings);
        return Math.Min(1, 1 / step) / (1 + (transition / 2));
    }

    /// <summary>Input samples on each side of the centre that a cut-off needs.</summary>
    public int HalfWidth(double cutoff) => (int)Math.Ceiling(crossings / cutoff);

    /// <summary>Weights of the inputs at −halfWidth + 1 … halfWidth around a position; they sum to 1.</summary>
    /// <param name="fraction">Position between input 0 and input 1, 0 to 1.</param>
    /// <param name="cutoff">Cut-off frequency in units of the input's Nyquist frequency.</param>
    /// <param name="weights">2 · <see cref="HalfWidth"/> weights, then zeros to the end.</param>
    public void Fill(double fraction, double cutoff, Span<float> weights)
    {
        int half = HalfWidth(cutoff);
        double sum = 0;
        double distance = 1 - half - fraction;
        // sin(π c d) advances by a fixed angle per input: a rotation instead of a sine each.
        var (sin, cos) = Math.SinCos(Math.PI * cutoff * distance);
        var (sinStep, cosStep) = Math.SinCos(Math.PI * cutoff);
        for (int i = 0; i < 2 * half; i++)
        {
            double phase = Math.PI * cutoff * distance;
            double sinc = Math.Abs(phase) < 1e-6 ? 1 : sin / phase;
            double weight = sinc * Window(Math.Abs(distance) * cutoff / crossings);
            weights[i] = (float)weight;
            sum += weight;
            distance += 1;
            (sin, cos) = ((sin * cosStep) + (cos * sinStep), (cos * cosStep) - (sin * sinStep));
        }

        float scale = (float)(1 / sum);
        for (int i = 0; i < 2 * half; i++)
        {
            weights[i] *= scale;
        }

        weights[(2 * half)..].Clear();
    }

    private double Window(double x)
    {
        double place = x * Steps;
        int index = (int)place;
        return index >= Steps ? 0 : _window[index] + ((place - index) * (_window[index + 1] - _window[index]));
    }

    private static double[] Sample(double beta)
    {
        var window = new double[Steps + 1];
        for (int i = 0; i <= Steps; i++)
        {
            double x = (double)i / Steps;
            window[i] = Bessel0(beta * Math.Sqrt(1 - (x * x))) / Bessel0(beta);
        }

        return window;
    }

    // Modified Bessel function of order 0 by its power series; 40 terms reach f64 precision for the betas in use.
    private static double Bessel0(double x)
    {
        double term = 1, sum = 1, quarter = x * x / 4;
        for (int k = 1; k < 40; k++)
        {
            term *= quarter / ((double)k * k);
            sum += term;
        }

        return sum;
    }
}
