using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Cli;

/// <summary>True classes of rows: what clusters are compared with.</summary>
internal static class TruthFile
{
    private static readonly string[] IdColumns = ["id", "path", "utterance"];
    private static readonly string[] ClassColumns = ["speaker", "label", "class"];

    /// <summary>
    /// Reads one class a row: a .npy vector of whole numbers, a text file with one class a line in the order of the rows, or a table with names,
    /// a CSV with a header (id, path or utterance; speaker, label or class) or lines "name class".
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="ids">Names of the rows.</param>
    /// <returns>Classes as numbers from 0, in order of appearance.</returns>
    public static int[] Read(string path, IReadOnlyList<string> ids)
    {
        if (Path.GetExtension(path) == ".npy")
        {
            int[] numbers = NpyFile.Read(path).ToInt32();
            RequireCount(path, numbers.Length, ids.Count);
            return Number([.. numbers.Select(n => $"{n}")]);
        }

        string[] lines = [.. ReadLines(path).Where(line => line.Length > 0)];
        char[] separators = lines.Length > 0 && lines[0].Contains(',', StringComparison.Ordinal) ? [','] : [' ', '\t'];
        string[][] cells = [.. lines.Select(line => line.Split(separators, StringSplitOptions.TrimEntries))];
        if (cells.All(c => c.Length == 1))
        {
            RequireCount(path, lines.Length, ids.Count);
            return Number(lines);
        }

        int idColumn = Array.FindIndex(cells[0], c => IdColumns.Contains(c.ToLowerInvariant()));
        int classColumn = Array.FindIndex(cells[0], c => ClassColumns.Contains(c.ToLowerInvariant()));
        bool header = idColumn >= 0 && classColumn >= 0;
        (idColumn, classColumn) = header ? (idColumn, classColumn) : (0, 1);
        var known = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = header ? 1 : 0; i < cells.Length; i++)
        {
            if (cells[i].Length <= Math.Max(idColumn, classColumn))
            {
                throw new DataFormatException($"{path}, line {i + 1}: '{lines[i]}' has no class; lines are \"name class\" or a CSV with a header.");
            }

            known[cells[i][idColumn]] = cells[i][classColumn];
        }

        return Number([.. ids.Select(id => known.TryGetValue(id, out string? name)
            ? name
            : throw new DataFormatException($"{path} has no class for '{id}': every row needs one."))]);
    }

    private static int[] Number(IReadOnlyList<string> names)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. names.Select(name =>
        {
            numbers.TryAdd(name, numbers.Count);
            return numbers[name];
        })];
    }

    private static void RequireCount(string path, int found, int wanted)
    {
        if (found != wanted)
        {
            throw new DataFormatException($"{path} holds {found} classes for {wanted} rows: one a row is needed.");
        }
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"cannot read {path}: {error.Message}", error);
        }
    }
}
