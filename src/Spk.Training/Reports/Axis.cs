using Spk.Engine.Numerics;

namespace Spk.Training.Reports;

/// <summary>Maps values to the unit interval and names some of them.</summary>
internal sealed class Axis
{
    private readonly Func<double, double> _warp;
    private readonly double _low, _high;

    private Axis(double low, double high, Func<double, double> warp, IReadOnlyList<(double Value, string Label)> ticks)
    {
        (_low, _high, _warp) = (warp(low), warp(high), warp);
        Ticks = ticks;
    }

    public IReadOnlyList<(double Value, string Label)> Ticks { get; }

    /// <summary>0 at the low end, 1 at the high end.</summary>
    public double Position(double value) => (_warp(value) - _low) / (_high - _low);

    /// <summary>A linear axis with round ticks about a range.</summary>
    /// <param name="low">Smallest value.</param>
    /// <param name="high">Largest value.</param>
    /// <param name="percent">Label fractions in per cent.</param>
    /// <param name="tight">End at the values rather than at the next ticks.</param>
    /// <param name="ticks">Wanted number of ticks.</param>
    public static Axis Linear(double low, double high, bool percent = false, bool tight = false, int ticks = 5)
    {
        if (!(high > low))
        {
            double room = Math.Max(Math.Abs(low) * 0.1, 1e-9);
            (low, high) = (low - room, low + room);
        }

        double rough = (high - low) / ticks;
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = (rough / power) switch { < 1.5 => power, < 3 => 2 * power, < 7 => 5 * power, _ => 10 * power };
        if (!tight)
        {
            (low, high) = (Math.Floor((low / step) + 1e-9) * step, Math.Ceiling((high / step) - 1e-9) * step);
        }

        var marks = new List<(double, string)>();
        for (double k = Math.Ceiling((low / step) - 1e-9); k * step <= high + (step * 1e-9); k++)
        {
            double value = k * step;
            marks.Add((value, percent ? Format.Tick(100 * value, 100 * step) + "\u202F%" : Format.Tick(value, step)));
        }

        return new Axis(low, high, v => v, marks);
    }

    /// <summary>A logarithmic axis of positive values, with ticks at 1, 2 and 5 times powers of ten, or at the powers alone where there are many.</summary>
    /// <param name="low">Smallest value.</param>
    /// <param name="high">Largest value.</param>
    /// <param name="label">Names a tick.</param>
    public static Axis Logarithmic(double low, double high, Func<double, string> label)
    {
        // A little room, so that no point lies on the frame.
        (low, high) = (low / 1.15, high * 1.15);
        double decades = Math.Log10(high / low);
        double[] factors = decades < 2.5 ? [1, 2, 5] : [1];
        var marks = new List<(double, string)>();
        for (int power = (int)Math.Floor(Math.Log10(low)); power <= Math.Log10(high); power++)
        {
            marks.AddRange(factors.Select(f => f * Math.Pow(10, power)).Where(v => v >= low && v <= high).Select(v => (v, label(v))));
        }

        return new Axis(low, high, Math.Log, marks);
    }

    /// <summary>An axis of names at 0, 1, 2 and so on.</summary>
    public static Axis Names(IReadOnlyList<string> names) => new(-0.5, names.Count - 0.5, v => v, [.. names.Select((n, i) => ((double)i, n))]);

    /// <summary>A normal-deviate axis of error rates, 0.1 % to 50 %.</summary>
    public static Axis NormalDeviate()
    {
        double[] rates = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5];
        return new Axis(
            rates[0], rates[^1], NormalDistribution.Quantile, [.. rates.Select(r => (r, Format.Tick(100 * r, r < 0.01 ? 0.1 : 1)))]);
    }
}
