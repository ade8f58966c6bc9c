using System.Globalization;
using Spk.Engine.Models;
using Spk.Interop;

namespace ClusterConsole;

/// <summary>Rows to cluster, in one block of memory as the engine takes them.</summary>
/// <param name="Names">What the rows are called.</param>
/// <param name="Values">[N, D], row-major.</param>
/// <param name="Dimension">D.</param>
internal sealed record Embeddings(IReadOnlyList<string> Names, float[] Values, int Dimension)
{
    public int Count => Names.Count;

    /// <summary>Reads a matrix from X.npy (with names in X.ids.txt, if that is there) or from a table X.csv.</summary>
    public static Embeddings Load(string path) => Path.GetExtension(path) == ".npy" ? LoadNpy(path) : LoadCsv(path);

    /// <summary>Five speakers of 20 to 60 utterances: a direction each, and what differs from utterance to utterance.</summary>
    public static Embeddings Demonstration()
    {
        const int Dimension = 32, Speakers = 5;
        var random = new Random(1);
        var names = new List<string>();
        var values = new List<float>();
        for (int speaker = 0; speaker < Speakers; speaker++)
        {
            float[] voice = Normal(random, Dimension, 1f);
            for (int utterance = 0; utterance < 20 + (10 * speaker); utterance++)
            {
                names.Add($"speaker{speaker}/{utterance:00}");
                values.AddRange(voice.Zip(Normal(random, Dimension, 0.5f), (a, b) => a + b));
            }
        }

        return new Embeddings(names, [.. values], Dimension);
    }

    private static Embeddings LoadNpy(string path)
    {
        var (shape, values) = NpyFile.ReadSingle(path);
        if (shape.Count != 2 || shape[0] == 0)
        {
            throw new DataFormatException($"{path} holds an array of shape [{string.Join(", ", shape)}]: a matrix [rows, columns] is needed.");
        }

        string names = Path.ChangeExtension(path, ".ids.txt");
        string[] ids = File.Exists(names) ? File.ReadAllLines(names) : [.. Enumerable.Range(0, shape[0]).Select(row => $"row {row}")];
        return ids.Length == shape[0]
            ? new Embeddings(ids, values, shape[1])
            : throw new DataFormatException($"{names} names {ids.Length} rows, {path} holds {shape[0]}: write both again.");
    }

    private static Embeddings LoadCsv(string path)
    {
        var names = new List<string>();
        var values = new List<float>();
        int line = 0, dimension = 0;
        foreach (string text in File.ReadLines(path))
        {
            line++;
            string[] cells = text.Split(',', StringSplitOptions.TrimEntries);
            bool named = !TryNumber(cells[0], out _);
            foreach (string cell in named ? cells[1..] : cells)
            {
                values.Add(TryNumber(cell, out float value) ? value : throw new DataFormatException($"{path}, line {line}: '{cell}' is no number."));
            }

            names.Add(named ? cells[0] : $"line {line}");
            dimension = line == 1 ? values.Count : dimension;
            if (dimension == 0 || values.Count != line * dimension)
            {
                throw new DataFormatException($"{path}, line {line}: {values.Count - ((line - 1) * dimension)} numbers, and {dimension} in line 1; every line needs as many, and at least one.");
            }
        }

        return line > 0 ? new Embeddings(names, [.. values], dimension) : throw new DataFormatException($"{path} is empty: a row a line is needed.");
    }

    private static bool TryNumber(string text, out float value) => float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);

    private static float[] Normal(Random random, int count, float deviation) =>
        [.. Enumerable.Range(0, count).Select(_ => deviation * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
}
