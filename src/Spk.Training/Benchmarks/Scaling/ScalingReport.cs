using System.Globalization;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Reports;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>Curves as a page with charts and figures.</summary>
public static class ScalingReport
{
    /// <summary>Writes one self-contained HTML page, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <param name="file">The curves.</param>
    /// <exception cref="SpkException">It cannot be written.</exception>
    public static void Write(string path, ScalingFile file) => AtomicFile.WriteText(path, Render(file));

    /// <summary>Makes the page.</summary>
    /// <param name="file">The curves.</param>
    public static string Render(ScalingFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var page = new ReportDocument("Cost by size", "Logarithmic axes; the broken line is the power fitted to the larger half of the sizes, the shade holds eight of ten calls.");
        foreach (var curve in file.Curves)
        {
            page.Section(curve.Name).Paragraph($"{curve.Summary}; {Powers(curve)}").Table(Head(curve), Rows(curve))
                .Figures(Figures.Figure("Time", ScalingPlot.Time(curve), "", null), Figures.Figure("Memory", ScalingPlot.Memory(curve), "", null));
        }

        page.Section("Machine").Table(["what", "value"], [.. file.Machine.Select(m => (IReadOnlyList<ReportCell>)[m.Key, m.Value])]);
        return page.ToHtml();
    }

    internal static string Powers(ScalingCurve curve) => string.Create(CultureInfo.InvariantCulture,
        $"time grows with the power {Power(curve.TimeExponent)} of the size, {Power(curve.TimeExponentOfLarger)} in the larger half, and memory with the power {Power(curve.MemoryExponentOfLarger)}.");

    internal static IReadOnlyList<string> Head(ScalingCurve curve) => [curve.SizeName, "time", "10 to 90 %", VariesThreads(curve) ? "faster than on one" : "time / size", "memory"];

    internal static IReadOnlyList<IReadOnlyList<ReportCell>> Rows(ScalingCurve curve) => [.. curve.Points.Select(p => (IReadOnlyList<ReportCell>)
    [
        ReportCell.Number(p.Size.ToString("#,0", CultureInfo.InvariantCulture)),
        ReportCell.Number(BenchmarkFormat.Time(p.Median)),
        ReportCell.Number($"{BenchmarkFormat.Time(p.Fast)} – {BenchmarkFormat.Time(p.Slow)}"),
        ReportCell.Number(VariesThreads(curve) ? (curve.Points[0].Median / p.Median).ToString("F2", CultureInfo.InvariantCulture) : BenchmarkFormat.Time(p.Median / p.Size)),
        ReportCell.Number(BenchmarkFormat.Bytes(p.Bytes)),
    ])];

    private static bool VariesThreads(ScalingCurve curve) => curve.SizeName == ScalingCatalog.ThreadsName;

    internal static string Power(double value) => double.IsFinite(value) ? value.ToString("F2", CultureInfo.InvariantCulture) : "–";
}
