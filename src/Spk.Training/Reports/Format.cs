using System.Globalization;
using Spk.Training.Evaluation;

namespace Spk.Training.Reports;

/// <summary>Numbers as the report prints them.</summary>
internal static class Format
{
    private const string NarrowSpace = "\u202F";

    /// <summary>A fraction in per cent.</summary>
    public static string Percent(double fraction, int decimals = 1) =>
        (100 * fraction).ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) + NarrowSpace + "%";

    /// <summary>An interval of fractions in per cent.</summary>
    public static string Percent(Interval interval) =>
        (100 * interval.Low).ToString("F1", CultureInfo.InvariantCulture) + "–" + Percent(interval.High);

    /// <summary>A fixed number of decimals.</summary>
    public static string Fixed(double value, int decimals = 3) =>
        value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture).Replace('-', '−');

    /// <summary>An interval with three decimals.</summary>
    public static string Fixed(Interval interval) => Fixed(interval.Low) + "–" + Fixed(interval.High);

    /// <summary>A whole number with thin spaces between thousands.</summary>
    public static string Whole(long value) =>
        value.ToString("#,0", CultureInfo.InvariantCulture).Replace(",", NarrowSpace, StringComparison.Ordinal);

    /// <summary>A number of an axis, as short as its step allows.</summary>
    public static string Tick(double value, double step)
    {
        if (value == 0 || Math.Abs(value) < step * 1e-6)
        {
            return "0";
        }

        if (Math.Abs(value) < 1e-3)
        {
            return value.ToString("0.#e0", CultureInfo.InvariantCulture).Replace('-', '−');
        }

        int decimals = Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-9), 0, 6);
        return Math.Abs(value) >= 10_000 && decimals == 0
            ? (value / 1000).ToString("0.###", CultureInfo.InvariantCulture).Replace('-', '−') + NarrowSpace + "k"
            : Fixed(value, decimals);
    }
}
