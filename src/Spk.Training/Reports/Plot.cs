using System.Text;

namespace Spk.Training.Reports;

/// <summary>One SVG chart: a frame with axes, into which lines, areas and marks are drawn in data coordinates.</summary>
internal sealed class Plot
{
    private const double Right = 16, Top = 12, Bottom = 44;

    private readonly double _left;
    private readonly double _width, _height;
    private readonly Axis? _x, _y;
    private readonly Markup _markup = new();

    /// <summary>Opens the chart and draws its grid, tick labels and axis titles.</summary>
    /// <param name="title">Read out by screen readers.</param>
    /// <param name="x">Abscissa; null for a map without axes.</param>
    /// <param name="y">Ordinate.</param>
    /// <param name="xLabel">Title of the abscissa.</param>
    /// <param name="yLabel">Title of the ordinate; null for none.</param>
    /// <param name="width">Width of the view box.</param>
    /// <param name="height">Height of the view box.</param>
    public Plot(string title, Axis? x, Axis? y, string? xLabel = null, string? yLabel = null, double width = 480, double height = 290)
    {
        (_x, _y, _width, _height) = (x, y, width, height);
        _left = y is null ? 16 : yLabel is null ? 52 : 62;
        _markup.Open("svg", "viewBox", $"0 0 {Markup.N(width)} {Markup.N(height)}", "role", "img", "aria-label", title, "xmlns", "http://www.w3.org/2000/svg");
        foreach (var (value, label) in x?.Ticks ?? [])
        {
            double at = X(value);
            Segment(at, Top, at, PlotBottom, "grid");
            Label(at, PlotBottom + 16, label, "tick", "middle");
        }

        foreach (var (value, label) in y?.Ticks ?? [])
        {
            double at = Y(value);
            Segment(_left, at, PlotRight, at, "grid");
            Label(_left - 7, at + 4, label, "tick", "end");
        }

        _markup.Empty("rect", "x", Markup.N(_left), "y", Markup.N(Top), "width", Markup.N(PlotRight - _left), "height", Markup.N(PlotBottom - Top), "class", "frame");
        if (xLabel is not null)
        {
            Label((_left + PlotRight) / 2, height - 8, xLabel, "axis", "middle");
        }

        if (yLabel is not null)
        {
            double middle = (Top + PlotBottom) / 2;
            _markup.Element("text", yLabel, "class", "axis", "text-anchor", "middle", "x", "14", "y", Markup.N(middle), "transform", $"rotate(-90 14 {Markup.N(middle)})");
        }
    }

    private double PlotRight => _width - Right;

    private double PlotBottom => _height - (_x is null ? 16 : Bottom);

    /// <summary>Draws a line through points; points closer than a pixel to the last one drawn are left out.</summary>
    public void Line(IEnumerable<(double X, double Y)> points, string style, string? tooltip = null)
    {
        var path = new StringBuilder();
        (double X, double Y) last = (double.NaN, double.NaN), skipped = last;
        foreach (var (x, y) in points)
        {
            var at = (X: X(x), Y: Y(y));
            if (Math.Abs(at.X - last.X) < 0.7 && Math.Abs(at.Y - last.Y) < 0.7)
            {
                skipped = at;
                continue;
            }

            path.Append(path.Length == 0 ? 'M' : 'L').Append(Markup.N(at.X)).Append(' ').Append(Markup.N(at.Y));
            (last, skipped) = (at, (double.NaN, double.NaN));
        }

        if (!double.IsNaN(skipped.X))
        {
            path.Append('L').Append(Markup.N(skipped.X)).Append(' ').Append(Markup.N(skipped.Y));
        }

        Path(path.ToString(), style, tooltip);
    }

    /// <summary>Fills the area between two curves over the same abscissas.</summary>
    public void Band(IReadOnlyList<(double X, double Low, double High)> points, string style)
    {
        if (points.Count == 0)
        {
            return;
        }

        var path = new StringBuilder();
        foreach (var (x, _, high) in points)
        {
            path.Append(path.Length == 0 ? 'M' : 'L').Append(Markup.N(X(x))).Append(' ').Append(Markup.N(Y(high)));
        }

        foreach (var (x, low, _) in points.Reverse())
        {
            path.Append('L').Append(Markup.N(X(x))).Append(' ').Append(Markup.N(Y(low)));
        }

        Path(path.Append('Z').ToString(), style, null);
    }

    /// <summary>Draws a round mark with a tooltip.</summary>
    public void Dot(double x, double y, double radius, string style, string? tooltip = null)
    {
        _markup.Open("circle", "cx", Markup.N(X(x)), "cy", Markup.N(Y(y)), "r", Markup.N(radius), "class", style);
        Tooltip(tooltip);
        _markup.Close();
    }

    /// <summary>Draws a mark of one of four shapes in a colour of its own.</summary>
    public void Mark(double x, double y, int shape, string color, string? tooltip) => Mark(_markup, X(x), Y(y), shape, color, tooltip);

    /// <summary>Draws a vertical line with a label at its top.</summary>
    public void VerticalLine(double x, string label)
    {
        double at = X(x);
        bool leftward = at > (_left + PlotRight) / 2;
        Segment(at, Top, at, PlotBottom, "rule");
        Label(at + (leftward ? -5 : 5), Top + 13, label, "note", leftward ? "end" : "start");
    }

    /// <summary>Writes a note at data coordinates.</summary>
    public void Note(double x, double y, string text, double dx, double dy, string anchor = "start") => Label(X(x) + dx, Y(y) + dy, text, "note", anchor);

    /// <summary>Closes the chart.</summary>
    public string End() => _markup.Close().ToString();

    /// <summary>A closed chart as a file of its own, which brings the styles that a page would have.</summary>
    public static string AsFile(string chart) => chart.Insert(chart.IndexOf('>', StringComparison.Ordinal) + 1, $"<style>{ReportStyle.Drawing}</style>");

    /// <summary>Draws a mark at pixel coordinates, also for legends.</summary>
    public static void Mark(Markup markup, double x, double y, int shape, string color, string? tooltip)
    {
        string n(double v) => Markup.N(v);
        string path = (shape % 4) switch
        {
            0 => $"M{n(x - 4)} {n(y)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
            1 => $"M{n(x - 3.6)} {n(y - 3.6)}h7.2v7.2h-7.2Z",
            2 => $"M{n(x)} {n(y - 4.8)}l4.6 8h-9.2Z",
            _ => $"M{n(x)} {n(y - 5)}l5 5l-5 5l-5 -5Z",
        };
        markup.Open("path", "d", path, "class", "mark", "style", $"fill:{color}");
        if (tooltip is not null)
        {
            markup.Element("title", tooltip);
        }

        markup.Close();
    }

    private double X(double value) => _left + ((PlotRight - _left) * (_x?.Position(value) ?? value));

    private double Y(double value) => PlotBottom - ((PlotBottom - Top) * (_y?.Position(value) ?? value));

    private void Path(string d, string style, string? tooltip)
    {
        // A nested drawing cuts off what lies outside the frame, and unlike a clip path needs no id that is unique in the page.
        string x = Markup.N(_left), y = Markup.N(Top), width = Markup.N(PlotRight - _left), height = Markup.N(PlotBottom - Top);
        _markup.Open("svg", "x", x, "y", y, "width", width, "height", height, "viewBox", $"{x} {y} {width} {height}", "overflow", "hidden");
        _markup.Open("path", "d", d, "class", style);
        Tooltip(tooltip);
        _markup.Close().Close();
    }

    private void Tooltip(string? text)
    {
        if (text is not null)
        {
            _markup.Element("title", text);
        }
    }

    private void Segment(double x1, double y1, double x2, double y2, string style) => _markup.Empty(
        "line", "x1", Markup.N(x1), "y1", Markup.N(y1), "x2", Markup.N(x2), "y2", Markup.N(y2), "class", style);

    private void Label(double x, double y, string text, string style, string anchor) =>
        _markup.Element("text", text, "x", Markup.N(x), "y", Markup.N(y), "class", style, "text-anchor", anchor);
}
