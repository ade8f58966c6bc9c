using System.Text.Json;
using Spk.Interop;

namespace Spk.Training.Benchmarks;

/// <summary>
/// Results of other libraries, a JSON object a line with <c>case</c>, <c>params</c> and <c>throughput</c> (units of work per second), or such
/// lines in the field <c>results</c> of one object.
/// </summary>
public sealed class PeerResults
{
    private readonly List<Row> _rows = [];

    private PeerResults() { }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataFormatException">It is missing, or no line of it is a result.</exception>
    public static PeerResults Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new DataFormatException($"{path}: there is no such file of peers' results.");
        }

        var peers = new PeerResults();
        try
        {
            foreach (string text in Documents(File.ReadAllText(path)))
            {
                using var document = JsonDocument.Parse(text);
                if (document.RootElement.TryGetProperty("results", out var rows))
                {
                    foreach (var row in rows.EnumerateArray())
                    {
                        peers.Add(row);
                    }
                }
                else
                {
                    peers.Add(document.RootElement);
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DataFormatException($"{path}: not a file of peers' results ({e.Message.TrimEnd('.')}).", e);
        }

        return peers._rows.Count > 0 ? peers : throw new DataFormatException($"{path}: no line holds case, params and throughput.");
    }

    /// <summary>The highest throughput that a peer reached on the same work.</summary>
    /// <param name="result">Our result.</param>
    /// <returns>Units of work per second; null where no peer did that.</returns>
    public double? Fastest(BenchmarkResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        double best = _rows.Where(row => row.IsSameWork(result)).Select(row => row.Throughput).DefaultIfEmpty().Max();
        return best > 0 ? best : null;
    }

    // Lines that each are a whole object; else the file is one object over many lines.
    private static string[] Documents(string text)
    {
        string[] lines = [.. text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0)];
        return lines.All(l => l is ['{', .., '}']) ? lines : [text];
    }

    private void Add(JsonElement row)
    {
        // The first line describes the machine; a case that could not run has no throughput.
        if (row.TryGetProperty("case", out var name) && row.TryGetProperty("params", out var sizes) && row.TryGetProperty("throughput", out var throughput))
        {
            _rows.Add(new Row(
                name.GetString() ?? "",
                sizes.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Number).ToDictionary(p => p.Name, p => p.Value.GetDouble()),
                sizes.TryGetProperty("precision", out var precision) ? precision.GetString() : null,
                throughput.GetDouble()));
        }
    }

    // A peer's case may have a longer name (kmeans_faiss for kmeans) and leave out sizes that are fixed there.
    private sealed record Row(string Case, IReadOnlyDictionary<string, double> Sizes, string? Precision, double Throughput)
    {
        public bool IsSameWork(BenchmarkResult result) =>
            Case.StartsWith(result.Name, StringComparison.Ordinal)
            && (Precision is null || Precision.Equals(result.Precision.ToString(), StringComparison.OrdinalIgnoreCase))
            && result.Sizes.Any(s => Sizes.ContainsKey(s.Name))
            && result.Sizes.All(s => !Sizes.TryGetValue(s.Name, out double size) || size == s.Value);
    }
}
