using System.Text.Json;
using Spk.Interop;

namespace Spk.Training.Benchmarks;

/// <summary>
/// Results of other libraries, a JSON object a line with <c>case</c>, <c>params</c> and <c>throughput</c> (units of work per second), or such
/// objects in an array, which may be the field <c>results</c> of one object.
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
                peers.Add(document.RootElement);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DataFormatException($"{path}: not a file of peers' results ({e.Message.TrimEnd('.')}).", e);
        }

        return peers._rows.Count > 0 ? peers : throw new DataFormatException($"{path}: no line holds case, params and throughput.");
    }

    /// <summary>The line with the highest throughput that a peer reached on the same work.</summary>
    /// <param name="result">Our result.</param>
    /// <param name="threads">Our threads: lines that name another number are left out; 0 for any.</param>
    /// <returns>Null where no peer did that.</returns>
    public PeerLine? Fastest(BenchmarkResult result, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(result);
        return _rows.Where(row => row.IsSameWork(result, threads)).MaxBy(row => row.Throughput) is { } row ? new PeerLine(row.Case, row.Throughput, row.Spread) : null;
    }

    /// <summary>The peers' machine and versions in words, where the file tells.</summary>
    public string? Description { get; private set; }

    // Lines that each are a whole object; else the file is one object over many lines.
    private static string[] Documents(string text)
    {
        string[] lines = [.. text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0)];
        return lines.All(l => l is ['{', .., '}']) ? lines : [text];
    }

    private void Add(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (var one in element.EnumerateArray())
            {
                Add(one);
            }

            return;
        }

        Description ??= Describe(element);
        if (element.TryGetProperty("results", out var all))
        {
            Add(all);
        }

        // A case that could not run has no throughput, one that took no time none that counts.
        else if (element.TryGetProperty("case", out var name) && element.TryGetProperty("params", out var sizes)
            && element.TryGetProperty("throughput", out var throughput) && throughput.GetDouble() > 0)
        {
            _rows.Add(new Row(
                name.GetString() ?? "",
                sizes.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Number).ToDictionary(p => p.Name, p => p.Value.GetDouble()),
                sizes.TryGetProperty("precision", out var precision) ? precision.GetString() : null,
                element.TryGetProperty("threads", out var threads) ? threads.GetInt32() : 0,
                throughput.GetDouble(),
                element.TryGetProperty("median_s", out var median) && element.TryGetProperty("min_s", out var least) && least.GetDouble() > 0 ? (median.GetDouble() / least.GetDouble()) - 1 : null));
        }
    }

    // The CPU script names processor and versions beside its lines, the GPU script in its first line.
    private static string? Describe(JsonElement element)
    {
        if (element.TryGetProperty("versions", out var versions))
        {
            string libraries = string.Join(", ", versions.EnumerateObject().Where(v => v.Value.ValueKind == JsonValueKind.String).Select(v => $"{v.Name} {v.Value.GetString()}"));
            return element.TryGetProperty("cpu", out var cpu) && cpu.TryGetProperty("model name", out var model) ? $"{model.GetString()}; {libraries}" : libraries;
        }

        return element.TryGetProperty("case", out var name) && name.ValueEquals("device")
            ? string.Join(", ", element.EnumerateObject().Skip(1).Select(v => $"{v.Name} {v.Value}"))
            : null;
    }

    // A peer's case may have a longer name (kmeans_faiss for kmeans) and leave out sizes that are fixed there.
    private sealed record Row(string Case, IReadOnlyDictionary<string, double> Sizes, string? Precision, int Threads, double Throughput, double? Spread)
    {
        public bool IsSameWork(BenchmarkResult result, int threads) =>
            Case.StartsWith(result.Name, StringComparison.Ordinal)
            && (threads == 0 || Threads == 0 || Threads == threads)
            && (Precision is null || Precision.Equals(result.Precision.ToString(), StringComparison.OrdinalIgnoreCase))
            && result.Sizes.Any(s => Sizes.ContainsKey(s.Name))
            && result.Sizes.All(s => !Sizes.TryGetValue(s.Name, out double size) || size == s.Value);
    }
}

/// <summary>A measurement of another library.</summary>
/// <param name="Case">Its name, which may name the library too.</param>
/// <param name="Throughput">Units of work per second.</param>
/// <param name="Spread">How far the median of its calls, which the throughput is of, lies above the fastest: 0.1 for a tenth; null where the file does not tell.</param>
public sealed record PeerLine(string Case, double Throughput, double? Spread = null);
