using Spk.Engine.Clustering;
using Spk.Engine.Collectives;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Cli;

/// <summary>Rows to cluster, as they lie in a file, and what they are called.</summary>
/// <param name="Ids">Names, or "0", "1", … where the file has none.</param>
/// <param name="Values">[N, D], row-major.</param>
/// <param name="Dimension">D.</param>
internal sealed record ClusterInput(IReadOnlyList<string> Ids, float[] Values, int Dimension)
{
    public int Count => Ids.Count;

    /// <summary>Augmented views of the rows [V, N, D], view after view; empty for none.</summary>
    public float[] Views { get; init; } = [];

    /// <summary>Where `spk embed --views` puts the views of X.npy.</summary>
    public static string ViewsOf(string path) => Path.ChangeExtension(path, ".views.npy");

    /// <summary>The same rows with the views of a file [V, N, D], V of 2 or more.</summary>
    public ClusterInput WithViews(string path)
    {
        var (shape, values) = NpyFile.ReadSingle(path);
        if (shape.Count != 3 || shape[0] < 2 || shape[1] != Count || shape[2] != Dimension)
        {
            throw new DataFormatException(
                $"{path} holds an array of shape [{string.Join(", ", shape)}]: [views, {Count}, {Dimension}] with 2 views or more is needed; write it with 'spk embed --views'.");
        }

        int at = Array.FindIndex(values, value => !float.IsFinite(value));
        return at < 0 ? this with { Views = values } : throw new NonFiniteException(
            $"{path}: view {at / Dimension / Count} of row {at / Dimension % Count} ('{Ids[at / Dimension % Count]}') holds {values[at]}; embed the recordings again.");
    }

    /// <summary>Reads a .npy matrix (with names in X.ids.txt, if that is there) or a Kaldi archive.</summary>
    public static ClusterInput Read(string path)
    {
        switch (Path.GetExtension(path))
        {
            case ".ark" or ".scp":
                var (names, rows, dimension) = KaldiArk.Read(path);
                return new ClusterInput(names, rows, dimension).RequireFinite(path);
            case ".npy":
                break;
            default:
                throw new InvalidOptionException($"cannot tell the format of '{path}': its name must end in .npy, .ark or .scp.");
        }

        var (shape, values) = NpyFile.ReadSingle(path);
        RequireMatrix(path, shape);
        string idFile = Path.ChangeExtension(path, ".ids.txt");
        string[] ids = File.Exists(idFile) ? File.ReadAllLines(idFile) : [.. Enumerable.Range(0, shape[0]).Select(i => $"{i}")];
        if (ids.Length != shape[0])
        {
            throw new DataFormatException($"{idFile} names {ids.Length} rows, {path} holds {shape[0]}: write both again.");
        }

        return new ClusterInput(ids, values, shape[1]).RequireFinite(path);
    }

    /// <summary>Reads the rows that one of several processes has, without their names.</summary>
    /// <returns>Its rows, the rows of all, and D.</returns>
    public static (float[] Values, int Rows, int Dimension) ReadShare(string path, Collective processes)
    {
        if (Path.GetExtension(path) != ".npy")
        {
            var all = Read(path);
            var (first, count) = KMeans.ShareOf(all.Count, processes);
            return (all.Values.AsSpan(first * all.Dimension, count * all.Dimension).ToArray(), all.Count, all.Dimension);
        }

        var (shape, values) = NpyFile.ReadRows(path, rows => KMeans.ShareOf(rows, processes));
        RequireMatrix(path, shape);
        return (values, shape[0], shape[1]);
    }

    private static void RequireMatrix(string path, IReadOnlyList<int> shape)
    {
        if (shape.Count != 2 || shape[0] < 1 || shape[1] < 1)
        {
            throw new DataFormatException($"{path} holds an array of shape [{string.Join(", ", shape)}]: a matrix [rows, columns] is needed.");
        }
    }

    private ClusterInput RequireFinite(string path)
    {
        int at = Array.FindIndex(Values, value => !float.IsFinite(value));
        return at < 0 ? this : throw new NonFiniteException(
            $"{path}: row {at / Dimension} ('{Ids[at / Dimension]}'), column {at % Dimension} is {Values[at]}; remove the row or replace the value.");
    }
}
