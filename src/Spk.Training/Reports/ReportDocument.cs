using System.Text;

namespace Spk.Training.Reports;

/// <summary>How a cell of a table is set.</summary>
internal enum CellStyle
{
    /// <summary>Text, to the left.</summary>
    Text,

    /// <summary>A number, to the right.</summary>
    Number,

    /// <summary>Something good, in bold.</summary>
    Yes,

    /// <summary>Something bad, in bold.</summary>
    No,

    /// <summary>Something undecided, in bold.</summary>
    Open,
}

/// <summary>A cell of a table.</summary>
/// <param name="Text">What it holds.</param>
/// <param name="Style">How it is set.</param>
internal readonly record struct ReportCell(string Text, CellStyle Style = CellStyle.Text)
{
    public static implicit operator ReportCell(string text) => new(text);

    /// <summary>A cell that stands to the right.</summary>
    public static ReportCell Number(string text) => new(text, CellStyle.Number);
}

/// <summary>A page of text, tables and figures that becomes Markdown or HTML; figures are in the HTML only.</summary>
internal sealed class ReportDocument(string title, string? subtitle = null)
{
    private readonly List<(Action<StringBuilder> Markdown, Action<Markup> Html)> _blocks = [];
    private bool _inSection;

    /// <summary>Begins a section.</summary>
    public ReportDocument Section(string heading)
    {
        bool close = _inSection;
        _inSection = true;
        return Add(
            text => text.Append("## ").Append(heading).Append("\n\n"),
            page => (close ? page.Close() : page).Open("section").Element("h2", heading));
    }

    /// <summary>A paragraph.</summary>
    public ReportDocument Paragraph(string words, bool quiet = false) => Add(
        text => text.Append(MarkdownTable.Escape(words)).Append("\n\n"),
        page => page.Element("p", words, "class", quiet ? "quiet" : null));

    /// <summary>Text to be read letter by letter, such as a command.</summary>
    public ReportDocument Code(string lines, string language) => Add(
        text => text.Append("```").Append(language).Append('\n').Append(lines.TrimEnd()).Append("\n```\n\n"),
        page => page.Element("pre", lines.TrimEnd()));

    /// <summary>A table; the style of a column's head is that of its first cell.</summary>
    public ReportDocument Table(IReadOnlyList<string> head, IReadOnlyList<IReadOnlyList<ReportCell>> rows)
    {
        CellStyle[] styles = [.. head.Select((_, i) => rows.Count > 0 ? rows[0][i].Style : CellStyle.Text)];
        return Add(text => MarkdownTable.Append(text, head, rows), page => Html(page, head, rows, styles));
    }

    /// <summary>Figures side by side, each a complete HTML figure; empty ones are left out.</summary>
    public ReportDocument Figures(params IEnumerable<string> figures)
    {
        bool close = _inSection;
        _inSection = false;
        string all = string.Concat(figures);
        return Add(
            _ => { },
            page =>
            {
                page = close ? page.Close() : page;
                _ = all.Length > 0 ? page.Open("div", "class", "charts").Raw(all).Close() : page;
            });
    }

    public string ToMarkdown()
    {
        var text = new StringBuilder().Append("# ").Append(title).Append("\n\n");
        if (subtitle is not null)
        {
            text.Append(MarkdownTable.Escape(subtitle)).Append("\n\n");
        }

        foreach (var (markdown, _) in _blocks)
        {
            markdown(text);
        }

        return text.ToString().TrimEnd() + "\n";
    }

    public string ToHtml()
    {
        var page = HtmlReport.OpenPage(title, subtitle);
        foreach (var (_, html) in _blocks)
        {
            html(page);
        }

        return (_inSection ? page.Close() : page).Close().Close().Close().ToString();
    }

    private static void Html(Markup page, IReadOnlyList<string> head, IReadOnlyList<IReadOnlyList<ReportCell>> rows, CellStyle[] styles)
    {
        page.Open("div", "class", "scroll").Open("table", "class", "even").Open("thead").Open("tr");
        for (int i = 0; i < head.Count; i++)
        {
            page.Element("th", head[i], "class", styles[i] == CellStyle.Number ? "number" : null);
        }

        page.Close().Close().Open("tbody");
        foreach (var row in rows)
        {
            page.Open("tr");
            foreach (var cell in row)
            {
                page.Element("td", cell.Text, "class", cell.Style switch
                {
                    CellStyle.Number => "number",
                    CellStyle.Yes => "verdict yes",
                    CellStyle.No => "verdict no",
                    CellStyle.Open => "verdict open",
                    _ => null,
                });
            }

            page.Close();
        }

        page.Close().Close().Close();
    }

    private ReportDocument Add(Action<StringBuilder> markdown, Action<Markup> html)
    {
        _blocks.Add((markdown, html));
        return this;
    }
}
