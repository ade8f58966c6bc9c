using System.Text;

namespace Spk.Training.Reports;

/// <summary>A table in Markdown; the style of a column is that of its first cell.</summary>
internal static class MarkdownTable
{
    public static void Append(StringBuilder text, IReadOnlyList<string> head, IReadOnlyList<IReadOnlyList<ReportCell>> rows)
    {
        Row(head.Select(Escape));
        Row(head.Select((_, i) => rows.Count > 0 && rows[0][i].Style == CellStyle.Number ? "---:" : "---"));
        foreach (var row in rows)
        {
            Row(row.Select(cell => cell.Style is CellStyle.Text or CellStyle.Number || cell.Text.Length == 0 ? Escape(cell.Text) : $"**{Escape(cell.Text)}**"));
        }

        text.Append('\n');

        void Row(IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
    }

    /// <summary>Text in which nothing ends a cell.</summary>
    public static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
