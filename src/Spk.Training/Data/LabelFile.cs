using System.Globalization;
using System.Text;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>A line of a file of pseudo-labels.</summary>
/// <param name="Id">The utterance.</param>
/// <param name="Cluster">Its cluster, any whole number.</param>
/// <param name="Similarity">How near it lies to the cluster's centroid, or how probable a network finds the cluster, high is near; NaN where neither is known.</param>
public readonly record struct LabelRow(string Id, int Cluster, float Similarity = float.NaN);

/// <summary>Pseudo-labels of utterances: a CSV with the header <c>id,cluster</c> or <c>id,cluster,similarity</c>, as <c>spk cluster</c> writes it.</summary>
/// <param name="Rows">One for each labelled utterance.</param>
public sealed record LabelFile(IReadOnlyList<LabelRow> Rows)
{
    /// <summary>Distinct clusters.</summary>
    public int Clusters => Rows.Select(r => r.Cluster).Distinct().Count();

    /// <summary>Reads a file.</summary>
    /// <param name="path">The CSV.</param>
    /// <exception cref="DataFormatException">It is missing, is of another format, or labels an utterance twice; the message names the line.</exception>
    public static LabelFile Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Path.GetExtension(path) == ".npy")
        {
            throw new DataFormatException($"{path} does not say which utterances it labels: write the clusters as CSV, such as `spk cluster … --out clusters.csv`.");
        }

        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"Cannot read the labels {path}: {e.Message}", e);
        }

        var records = CsvReader.Read(text, out _);
        var head = records.Count == 0 ? [] : records[0].Fields.Select(f => f.Trim()).ToList();
        int id = head.IndexOf("id"), cluster = head.IndexOf("cluster"), similarity = head.IndexOf("similarity");
        if (id < 0 || cluster < 0)
        {
            throw new DataFormatException($"{path}, line 1: labels need a header with the columns id and cluster, as `spk cluster --out X.csv` writes it.");
        }

        var rows = new List<LabelRow>(records.Count);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var record in records.Skip(1))
        {
            float near = float.NaN;
            if (record.Fields.Count != head.Count || !int.TryParse(record.Fields[cluster], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
                || (similarity >= 0 && !float.TryParse(record.Fields[similarity], NumberStyles.Float, CultureInfo.InvariantCulture, out near)))
            {
                throw new DataFormatException($"{path}, line {record.Line}: '{string.Join(',', record.Fields)}' is no line of {string.Join(',', head)} with a whole number as cluster.");
            }

            if (!seen.Add(record.Fields[id]))
            {
                throw new DataFormatException($"{path}, line {record.Line}: '{record.Fields[id]}' is labelled twice.");
            }

            rows.Add(new LabelRow(record.Fields[id], number, near));
        }

        return new LabelFile(rows);
    }

    /// <summary>Writes the file; the column of similarities only where all are known.</summary>
    /// <param name="path">The CSV.</param>
    /// <exception cref="SpkException">It cannot be written.</exception>
    public void Write(string path)
    {
        bool near = Rows.Count > 0 && !Rows.Any(r => float.IsNaN(r.Similarity));
        var text = new StringBuilder(near ? "id,cluster,similarity\n" : "id,cluster\n");
        foreach (var row in Rows)
        {
            text.Append(CsvReader.Escape(row.Id)).Append(CultureInfo.InvariantCulture, $",{row.Cluster}");
            _ = near ? text.Append(CultureInfo.InvariantCulture, $",{row.Similarity}\n") : text.Append('\n');
        }

        AtomicFile.WriteText(path, text.ToString());
    }
}
