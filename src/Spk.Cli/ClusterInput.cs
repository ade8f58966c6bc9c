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
        if (shape.Count != 2 || shape[0] < 1 || shape[1] < 1)
        {
            throw new DataFormatException($"{path} holds an array of shape [{string.Join(", ", shape)}]: a matrix [rows, columns] is needed.");
        }

        string idFile = Path.ChangeExtension(path, ".ids.txt");
        string[] ids = File.Exists(idFile) ? File.ReadAllLines(idFile) : [.. Enumerable.Range(0, shape[0]).Select(i => $"{i}")];
        if (ids.Length != shape[0])
        {
            throw new DataFormatException($"{idFile} names {ids.Length} rows, {path} holds {shape[0]}: write both again.");
        }

        return new ClusterInput(ids, values, shape[1]).RequireFinite(path);
    }

    private ClusterInput RequireFinite(string path)
    {
        int at = Array.FindIndex(Values, value => !float.IsFinite(value));
        return at < 0 ? this : throw new NonFiniteException(
            $"{path}: row {at / Dimension} ('{Ids[at / Dimension]}'), column {at % Dimension} is {Values[at]}; remove the row or replace the value.");
    }
}
