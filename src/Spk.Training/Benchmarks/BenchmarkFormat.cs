using System.Globalization;

namespace Spk.Training.Benchmarks;

/// <summary>Figures of benchmarks as people read them: three digits and a unit that suits.</summary>
public static class BenchmarkFormat
{
    /// <summary>A time.</summary>
    public static string Time(double seconds)
    {
        var (value, unit) = seconds switch
        {
            >= 1 => (seconds, "s"),
            >= 1e-3 => (1e3 * seconds, "ms"),
            _ => (1e6 * seconds, "us"),
        };
        return Digits(value) + " " + unit;
    }

    /// <summary>An amount of memory.</summary>
    public static string Bytes(double bytes)
    {
        var (value, unit) = bytes switch
        {
            >= 1 << 30 => (bytes / (1 << 30), "GiB"),
            >= 1 << 20 => (bytes / (1 << 20), "MiB"),
            >= 1 << 10 => (bytes / (1 << 10), "KiB"),
            _ => (bytes, "B"),
        };
        return (unit == "B" ? value.ToString("F0", CultureInfo.InvariantCulture) : Digits(value)) + " " + unit;
    }

    /// <summary>Work per second: whole numbers with commas from a thousand on.</summary>
    public static string Rate(double rate) => rate switch
    {
        >= 1e9 => (rate / 1e6).ToString("#,0", CultureInfo.InvariantCulture) + " M",
        >= 100 => rate.ToString("#,0", CultureInfo.InvariantCulture),
        _ => Digits(rate),
    };

    private static string Digits(double value) => value.ToString(value >= 99.95 ? "F0" : value >= 9.995 ? "F1" : "F2", CultureInfo.InvariantCulture);
}
