using System.Globalization;
using Spk.Training.Reports;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>Curves as charts with logarithmic axes, on which a power of the size is a straight line.</summary>
internal static class ScalingPlot
{
    /// <summary>Time by size, with the range of eight of ten calls and the line of the fitted power.</summary>
    public static string Time(ScalingCurve curve)
    {
        var points = curve.Points;
        var plot = Open(curve, "time", points.Min(p => p.Fast), points.Max(p => p.Slow), BenchmarkFormat.Time);
        plot.Band([.. points.Select(p => (p.Size, p.Fast, p.Slow))], "area c0");
        if (double.IsFinite(curve.TimeExponentOfLarger) && points.Count > 2)
        {
            // Through the last point: the eye then sees where smaller sizes leave it.
            var last = points[^1];
            plot.Line(points.Select(p => (p.Size, last.Median * Math.Pow(p.Size / last.Size, curve.TimeExponentOfLarger))), "line broken c1", $"power {curve.TimeExponentOfLarger.ToString("F2", CultureInfo.InvariantCulture)} of the size");
        }

        Marks(plot, points, p => p.Median, BenchmarkFormat.Time);
        return plot.End();
    }

    /// <summary>Memory by size.</summary>
    public static string Memory(ScalingCurve curve)
    {
        var plot = Open(curve, "memory", curve.Points.Min(p => p.Bytes), curve.Points.Max(p => p.Bytes), BenchmarkFormat.Bytes);
        Marks(plot, curve.Points, p => p.Bytes, BenchmarkFormat.Bytes);
        return plot.End();
    }

    private static Plot Open(ScalingCurve curve, string what, double low, double high, Func<double, string> label) => new(
        $"{curve.Name}, {what}",
        Axis.Logarithmic(curve.Points[0].Size, curve.Points[^1].Size, v => v.ToString("#,0.#", CultureInfo.InvariantCulture)),
        Axis.Logarithmic(low, high, label),
        curve.SizeName,
        what);

    private static void Marks(Plot plot, IReadOnlyList<ScalingPoint> points, Func<ScalingPoint, double> value, Func<double, string> words)
    {
        plot.Line(points.Select(p => (p.Size, value(p))), "line c0");
        foreach (var p in points)
        {
            plot.Dot(p.Size, value(p), 3, "point c0", $"{p.Size.ToString("#,0", CultureInfo.InvariantCulture)}: {words(value(p))}");
        }
    }
}
