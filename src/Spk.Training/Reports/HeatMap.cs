using System.Globalization;

namespace Spk.Training.Reports;

/// <summary>A matrix of numbers from −1 to 1 as coloured cells, each with its number.</summary>
internal static class HeatMap
{
    private const double Left = 130, Top = 76, CellWidth = 62, CellHeight = 24;

    /// <summary>Draws it.</summary>
    /// <param name="title">Title.</param>
    /// <param name="rows">Names of the rows, from the top.</param>
    /// <param name="columns">Names of the columns.</param>
    /// <param name="values">By row and column; NaN leaves a cell empty.</param>
    /// <param name="caption">What is to be seen.</param>
    public static string Draw(string title, IReadOnlyList<string> rows, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<double>> values, string caption)
    {
        double width = Left + (CellWidth * columns.Count) + 30, height = Top + (CellHeight * rows.Count) + 8;
        var page = new Markup().Open("figure").Element("h2", title)
            .Open("svg", "viewBox", $"0 0 {Markup.N(width)} {Markup.N(height)}", "role", "img", "aria-label", title, "xmlns", "http://www.w3.org/2000/svg");
        for (int column = 0; column < columns.Count; column++)
        {
            double x = Left + ((column + 0.5) * CellWidth);
            page.Element("text", columns[column], "x", Markup.N(x), "y", Markup.N(Top - 8), "class", "tick", "transform", $"rotate(-30 {Markup.N(x)} {Markup.N(Top - 8)})");
        }

        for (int row = 0; row < rows.Count; row++)
        {
            double y = Top + (row * CellHeight);
            page.Element("text", rows[row], "x", Markup.N(Left - 8), "y", Markup.N(y + 16), "class", "tick", "text-anchor", "end");
            for (int column = 0; column < columns.Count; column++)
            {
                double value = values[row][column], x = Left + (column * CellWidth);
                if (!double.IsFinite(value))
                {
                    continue;
                }

                // Strength by opacity, so that it reads on a light and on a dark page.
                page.Empty(
                    "rect", "x", Markup.N(x), "y", Markup.N(y), "width", Markup.N(CellWidth - 1), "height", Markup.N(CellHeight - 1), "fill", "currentColor",
                    "class", value < 0 ? "c0" : "c1", "fill-opacity", Markup.N(0.65 * Math.Min(1, Math.Abs(value))));
                page.Element(
                    "text", value.ToString("0.00", CultureInfo.InvariantCulture).Replace('-', '−'), "x", Markup.N(x + (CellWidth / 2)), "y", Markup.N(y + 16), "text-anchor", "middle");
            }
        }

        return page.Close().Element("figcaption", caption).Close().ToString();
    }
}
