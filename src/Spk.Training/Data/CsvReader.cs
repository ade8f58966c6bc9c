using System.Text;

namespace Spk.Training.Data;

/// <summary>Splits CSV text into records (RFC 4180: quoted fields, doubled quotes, line breaks within quotes).</summary>
internal static class CsvReader
{
    /// <summary>One record and the line it starts on, counted from 1.</summary>
    public readonly record struct Record(int Line, IReadOnlyList<string> Fields);

    /// <summary>All records; blank lines are left out.</summary>
    /// <param name="text">The file's text without byte-order mark.</param>
    /// <param name="unclosedLine">Line of a quote that is never closed, or 0.</param>
    public static List<Record> Read(string text, out int unclosedLine)
    {
        var records = new List<Record>();
        var fields = new List<string>();
        var field = new StringBuilder();
        int line = 1, recordLine = 1, quoteLine = 0;
        bool quoted = false, any = false;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            line += c == '\n' ? 1 : 0;
            if (quoted)
            {
                if (c != '"')
                {
                    field.Append(c);
                }
                else if (i + 1 < text.Length && text[i + 1] == '"')
                {
                    field.Append('"');
                    i++;
                }
                else
                {
                    quoted = false;
                }
            }
            else if (c == '"' && field.Length == 0)
            {
                quoted = any = true;
                quoteLine = line;
            }
            else if (c == ',')
            {
                Take(fields, field);
                any = true;
            }
            else if (c is '\n' or '\r')
            {
                EndRecord(records, fields, field, recordLine, any);
                any = false;
                recordLine = line;
            }
            else
            {
                field.Append(c);
                any = true;
            }
        }

        EndRecord(records, fields, field, recordLine, any);
        unclosedLine = quoted ? quoteLine : 0;
        return records;
    }

    /// <summary>A field as it stands in a file: quoted where it must be.</summary>
    public static string Escape(string? field) => field is null ? ""
        : field.AsSpan().IndexOfAny(',', '"', '\n') < 0 && !field.Contains('\r', StringComparison.Ordinal) ? field
        : "\"" + field.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    private static void EndRecord(List<Record> records, List<string> fields, StringBuilder field, int line, bool any)
    {
        if (!any)
        {
            return;
        }

        Take(fields, field);
        records.Add(new Record(line, fields.ToArray()));
        fields.Clear();
    }

    private static void Take(List<string> fields, StringBuilder field)
    {
        fields.Add(field.ToString());
        field.Clear();
    }
}
