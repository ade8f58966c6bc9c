using System.Globalization;
using Spk.Training.Evaluation;

namespace Spk.Training.Reports;

/// <summary>The charts of a report: each returns a complete figure, or an empty string where there is nothing to draw.</summary>
internal static class Figures
{
    private const int Colors = 6, MapColors = 10, LegendSpeakers = 12, Buckets = 120;

    /// <summary>Curves over steps or epochs; long ones are drawn as bucket means with the range of each bucket behind.</summary>
    public static string Lines(ReportChart chart)
    {
        var series = chart.Series
            .Select(s => (s.Name, Points: s.Points.Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).ToArray()))
            .Where(s => s.Points.Length > 0).ToArray();
        if (series.Length == 0)
        {
            return "";
        }

        var all = series.SelectMany(s => s.Points).ToArray();
        double low = all.Min(p => p.Y), high = all.Max(p => p.Y);
        // Rates start at 0; other curves show their range, and 0 only where it is near.
        low = chart.Percent || (low > 0 && low < 0.35 * high) ? Math.Min(low, 0) : low;
        var plot = new Plot(chart.Title, Axis.Linear(all.Min(p => p.X), all.Max(p => p.X), tight: true, ticks: 6), Axis.Linear(low, high, chart.Percent), chart.XLabel);
        for (int k = 0; k < series.Length; k++)
        {
            Curve(plot, series[k].Name, series[k].Points, k % Colors, chart);
        }

        var legend = series.Length > 1 ? series.Select((s, k) => (s.Name, Style(k % Colors))).ToArray() : [];
        return Figure(chart.Title, plot.End(), Legend(legend), chart.Caption);
    }

    /// <summary>Values of several systems, a dot for each and a line for their mean.</summary>
    /// <param name="title">Title.</param>
    /// <param name="systems">Name and values of each system; values that are not finite are left out.</param>
    /// <param name="percent">Whether values are fractions to be shown in per cent.</param>
    public static string Dots(string title, IReadOnlyList<(string Name, IReadOnlyList<double> Values)> systems, bool percent)
    {
        double[] all = [.. systems.SelectMany(s => s.Values).Where(double.IsFinite)];
        if (all.Length == 0)
        {
            return "";
        }

        var plot = new Plot(title, Axis.Names([.. systems.Select(s => s.Name)]), Axis.Linear(percent ? Math.Min(0, all.Min()) : all.Min(), all.Max(), percent));
        for (int k = 0; k < systems.Count; k++)
        {
            double[] values = [.. systems[k].Values.Where(double.IsFinite)];
            if (values.Length == 0)
            {
                continue;
            }

            plot.Line([(k - 0.25, values.Average()), (k + 0.25, values.Average())], "line c0", $"{systems[k].Name}: mean {Text(values.Average())}");
            foreach (double value in values)
            {
                plot.Dot(k, value, 3.5, "point c1", $"{systems[k].Name}: {Text(value)}");
            }
        }

        return Figure(title, plot.End(), "", "A dot for each seed, a line for their mean.");

        string Text(double value) => percent ? Format.Percent(value) : Format.Fixed(value);
    }

    /// <summary>Differences with their intervals, one below the other, and a line at 0.</summary>
    /// <param name="title">Title.</param>
    /// <param name="xLabel">What the differences are.</param>
    /// <param name="rows">Name, difference and interval of each row, from the top.</param>
    /// <param name="percent">Whether differences are fractions to be shown in per cent.</param>
    public static string Differences(string title, string xLabel, IReadOnlyList<(string Name, double Value, Interval Interval)> rows, bool percent)
    {
        if (rows.Count == 0)
        {
            return "";
        }

        double low = Math.Min(0, rows.Min(r => r.Interval.Low)), high = Math.Max(0, rows.Max(r => r.Interval.High));
        var plot = new Plot(
            title, Axis.Linear(low, high, percent), Axis.Names([.. rows.Reverse().Select(r => r.Name)]), xLabel, height: Math.Max(140, 74 + (24 * rows.Count)));
        plot.VerticalLine(0, "");
        for (int i = 0; i < rows.Count; i++)
        {
            var (name, value, interval) = rows[i];
            int y = rows.Count - 1 - i;
            string words = $"{name}: {(percent ? Format.Percent(value) : Format.Fixed(value))}, {(percent ? Format.Percent(interval) : Format.Fixed(interval))}";
            plot.Line([(interval.Low, y), (interval.High, y)], "line c0", words);
            plot.Dot(value, y, 4, "point c0", words);
        }

        return Figure(title, plot.End(), "", "A dot for the difference of the means over seeds, a line for its interval over speakers.");
    }

    /// <summary>Detection error trade-off on normal-deviate axes, 0.1 % to 50 %, with the point of equal error.</summary>
    public static string Det(ReportData data)
    {
        if (data.After is null)
        {
            return "";
        }

        var axis = Axis.NormalDeviate();
        var plot = new Plot("Detection error trade-off", axis, axis, "false acceptances, %", "false rejections, %", 480, 462);
        plot.Line([(0.001, 0.001), (0.5, 0.5)], "diagonal");
        Trade(data.Before, "before", data.BeforeName);
        Trade(data.After, "line c0", data.AfterName);
        Equal(data.Before, "before", data.BeforeName);
        if (Equal(data.After, "c0", data.AfterName))
        {
            double eer = data.After.Eer;
            plot.Note(eer, eer, "EER " + Format.Percent(eer), eer > 0.2 ? -9 : 9, eer > 0.2 ? 16 : -8, eer > 0.2 ? "end" : "start");
        }

        (string, string)[] legend = data.Before is null ? [] : [(data.AfterName, "c0"), (data.BeforeName, "before")];
        return Figure("Detection error trade-off", plot.End(), Legend(legend), "Closer to the lower left corner is better; both axes are scaled by the normal distribution.");

        // An EER outside the axes, such as that of a perfect separation, has no place in the plot.
        bool Equal(EvaluationResult? result, string style, string name)
        {
            if (result is null || result.Eer is < 0.001 or > 0.5)
            {
                return false;
            }

            plot.Dot(result.Eer, result.Eer, 4.5, "point " + style, $"{name}: EER {Format.Percent(result.Eer)}");
            return true;
        }

        void Trade(EvaluationResult? result, string style, string name)
        {
            if (result is not null)
            {
                plot.Line(result.Metrics.DetPoints().Select(p => (p.Far, p.Frr)), style, name);
            }
        }
    }

    /// <summary>Detection error trade-offs of several systems in one plot, on the axes of <see cref="Det"/>.</summary>
    /// <param name="systems">Name and error rates of each; colours repeat after six, and lines are broken from then on.</param>
    public static string DetOverlay(IReadOnlyList<(string Name, EvaluationResult Result)> systems)
    {
        if (systems.Count == 0)
        {
            return "";
        }

        const string Title = "Detection error trade-offs";
        var axis = Axis.NormalDeviate();
        var plot = new Plot(Title, axis, axis, "false acceptances, %", "false rejections, %", 480, 462);
        plot.Line([(0.001, 0.001), (0.5, 0.5)], "diagonal");
        for (int k = 0; k < systems.Count; k++)
        {
            var (name, result) = systems[k];
            plot.Line(result.Metrics.DetPoints().Select(p => (p.Far, p.Frr)), (k < Colors ? "line " : "line broken ") + Style(k % Colors), name);
            if (result.Eer is >= 0.001 and <= 0.5)
            {
                plot.Dot(result.Eer, result.Eer, 4, "point " + Style(k % Colors), $"{name}: EER {Format.Percent(result.Eer)}");
            }
        }

        return Figure(
            Title, plot.End(), Legend([.. systems.Select((s, k) => (s.Name, Style(k % Colors)))]), "Closer to the lower left corner is better; dots are at equal error.");
    }

    /// <summary>
    /// Histograms of target and non-target scores, each of area 1, over their own range: an untrained encoder puts all
    /// utterances close together.
    /// </summary>
    public static string Histogram(EvaluationResult? result, string name)
    {
        if (result is null)
        {
            return "";
        }

        const int Bins = 48;
        var range = ScoreRange(result);
        var counts = new double[2][];
        for (int label = 0; label < 2; label++)
        {
            counts[label] = new double[Bins];
            int total = label == 1 ? result.Targets : result.Trials - result.Targets;
            for (int i = 0; i < result.Trials; i++)
            {
                if (result.Labels[i] == (label == 1))
                {
                    int bin = Math.Clamp((int)((result.Scores[i] - range.Low) / (range.High - range.Low) * Bins), 0, Bins - 1);
                    counts[label][bin] += 1.0 / total;
                }
            }
        }

        double width = (range.High - range.Low) / Bins;
        var plot = new Plot(
            "Scores " + name, Axis.Linear(range.Low, range.High, tight: true, ticks: 7), Axis.Linear(0, counts.Max(c => c.Max()), percent: true), "cosine score");
        string[] styles = ["c1", "c0"];
        for (int label = 0; label < 2; label++)
        {
            (double X, double Low, double High)[] steps = [.. Enumerable.Range(0, 2 * Bins).Select(k => (range.Low + ((k + 1) / 2 * width), 0.0, counts[label][k / 2]))];
            plot.Band(steps, "area " + styles[label]);
            plot.Line(steps.Select(s => (s.X, s.High)), "line " + styles[label]);
        }

        plot.VerticalLine(result.Threshold, "EER threshold " + Format.Fixed(result.Threshold, 2));
        return Figure(
            "Scores " + name,
            plot.End(),
            Legend([("same speaker", "c0"), ("different speakers", "c1")]),
            $"Share of each kind of trial per bin. Mean cosine {Format.Fixed(result.MeanCosineSame)} for the same speaker, {Format.Fixed(result.MeanCosineDifferent)} for different ones.");
    }

    /// <summary>Embeddings on a plane, by speaker.</summary>
    public static string Map(ReportData data)
    {
        var points = data.Map.Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).ToArray();
        if (points.Length == 0)
        {
            return "";
        }

        // One scale for both axes: distances mean the same in every direction.
        double middleX = (points.Min(p => p.X) + points.Max(p => p.X)) / 2, middleY = (points.Min(p => p.Y) + points.Max(p => p.Y)) / 2;
        double half = Math.Max(1e-12, Math.Max(points.Max(p => Math.Abs(p.X - middleX)), points.Max(p => Math.Abs(p.Y - middleY)))) * 1.04;
        var speakers = points.Select(p => p.Speaker).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        var looks = speakers.Select((s, k) => (s, k)).ToDictionary(e => e.s, e => (Color: $"var(--m{(e.k % MapColors).ToString(CultureInfo.InvariantCulture)})", Shape: e.k / MapColors), StringComparer.Ordinal);
        var plot = new Plot("Embedding map", null, null, width: 480, height: 480);
        foreach (var point in points)
        {
            var (color, shape) = looks[point.Speaker];
            plot.Mark(0.5 + ((point.X - middleX) / (2 * half)), 0.5 + ((point.Y - middleY) / (2 * half)), shape, color, point.Utterance);
        }

        var legend = new Markup().Open("p", "class", "legend");
        foreach (string speaker in speakers.Take(LegendSpeakers))
        {
            legend.Open("span").Open("svg", "viewBox", "0 0 14 14", "class", "key", "xmlns", "http://www.w3.org/2000/svg");
            Plot.Mark(legend, 7, 7, looks[speaker].Shape, looks[speaker].Color, null);
            legend.Close().Element("span", speaker).Close();
        }

        if (speakers.Count > LegendSpeakers)
        {
            legend.Element("span", $"and {speakers.Count - LegendSpeakers} more", "class", "quiet");
        }

        string caption = $"{data.MapMethod} of {points.Length} utterances by {speakers.Count} speakers; colour and shape tell speakers apart, and shapes repeat after {4 * MapColors}.";
        return Figure("Embedding map", plot.End(), legend.Close().ToString(), caption);
    }

    private static (double Low, double High) ScoreRange(EvaluationResult result)
    {
        double low = result.Scores.Min(), high = result.Scores.Max();
        return high > low ? (low, high) : (low - 0.5, low + 0.5);
    }

    private static void Curve(Plot plot, string name, ReportPoint[] points, int color, ReportChart chart)
    {
        if (points.Length <= Buckets)
        {
            plot.Line(points.Select(p => (p.X, p.Y)), "line " + Style(color), name);
            if (points.Length <= 40)
            {
                foreach (var p in points)
                {
                    string value = chart.Percent ? Format.Percent(p.Y) : p.Y.ToString("G5", CultureInfo.InvariantCulture);
                    plot.Dot(p.X, p.Y, 3, "point " + Style(color), $"{name}, {chart.XLabel} {p.X.ToString(CultureInfo.InvariantCulture)}: {value}");
                }
            }

            return;
        }

        var band = new List<(double X, double Low, double High)>();
        var means = new List<(double, double)>();
        for (int b = 0; b < Buckets; b++)
        {
            var bucket = points[(int)((long)points.Length * b / Buckets)..(int)((long)points.Length * (b + 1) / Buckets)];
            double x = bucket.Average(p => p.X);
            band.Add((x, bucket.Min(p => p.Y), bucket.Max(p => p.Y)));
            means.Add((x, bucket.Average(p => p.Y)));
        }

        plot.Band(band, "area " + Style(color));
        plot.Line(means, "line " + Style(color), name);
    }

    private static string Style(int color) => "c" + color.ToString(CultureInfo.InvariantCulture);

    private static string Legend(ReadOnlySpan<(string Name, string Style)> entries)
    {
        if (entries.IsEmpty)
        {
            return "";
        }

        var legend = new Markup().Open("p", "class", "legend");
        foreach (var (name, style) in entries)
        {
            legend.Open("span").Element("i", "", "class", "swatch " + style).Element("span", name).Close();
        }

        return legend.Close().ToString();
    }

    internal static string Figure(string title, string chart, string legend, string? caption)
    {
        var figure = new Markup().Open("figure").Element("h2", title).Raw(legend).Raw(chart);
        if (caption is not null)
        {
            figure.Element("figcaption", caption);
        }

        return figure.Close().ToString();
    }
}
