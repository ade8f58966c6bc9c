using System.Numerics.Tensors;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>
/// Embeddings by utterance id, one row each, scaled to unit Euclidean length so that a dot product is a cosine.
/// </summary>
/// <remarks>
/// A zero vector is kept: its cosine with every embedding, itself included, is 0. <see cref="ZeroRows"/> counts them.
/// Instances never change and may be read from any thread.
/// </remarks>
public sealed partial class EmbeddingTable
{
    private readonly string[] _ids;
    private readonly float[] _rows;
    private readonly float[] _lengths;
    private readonly Dictionary<string, int> _index;

    /// <summary>Normalizes and indexes embeddings; the arguments are copied.</summary>
    /// <param name="ids">Utterance ids, unique.</param>
    /// <param name="values">Row-major [N, D] embeddings, as many rows as ids.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <exception cref="ShapeException">The number of values is not N · D.</exception>
    /// <exception cref="NonFiniteException">An embedding holds a NaN or an infinity; the message names the utterance.</exception>
    /// <exception cref="DataFormatException">An id is empty or occurs twice.</exception>
    public EmbeddingTable(IReadOnlyList<string> ids, ReadOnlySpan<float> values, int dimension)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (dimension < 1 || (long)ids.Count * dimension != values.Length)
        {
            throw new ShapeException($"{ids.Count} embeddings of size {dimension} need {(long)ids.Count * dimension} values, but {values.Length} are given.");
        }

        Dimension = dimension;
        _ids = [.. ids];
        _rows = values.ToArray();
        _lengths = new float[_ids.Length];
        _index = new Dictionary<string, int>(_ids.Length, StringComparer.Ordinal);
        for (int i = 0; i < _ids.Length; i++)
        {
            if (string.IsNullOrEmpty(_ids[i]) || !_index.TryAdd(_ids[i], i))
            {
                throw new DataFormatException($"the utterance id '{_ids[i]}' of embedding {i + 1} is empty or occurs twice: ids must be unique.");
            }

            _lengths[i] = Normalize(_ids[i], _rows.AsSpan(i * dimension, dimension));
            ZeroRows += _lengths[i] == 0 ? 1 : 0;
        }
    }

    /// <summary>Number of embeddings.</summary>
    public int Count => _ids.Length;

    /// <summary>Size of an embedding.</summary>
    public int Dimension { get; }

    /// <summary>How many embeddings are zero vectors.</summary>
    public int ZeroRows { get; }

    /// <summary>Utterance ids by row.</summary>
    public IReadOnlyList<string> Ids => _ids;

    /// <summary>All rows [N, D], of unit length.</summary>
    public ReadOnlySpan<float> Values => _rows;

    /// <summary>Euclidean lengths of the rows as given.</summary>
    public ReadOnlySpan<float> Lengths => _lengths;

    /// <summary>One embedding of unit length.</summary>
    /// <param name="index">Row.</param>
    public ReadOnlySpan<float> Row(int index) => _rows.AsSpan(index * Dimension, Dimension);

    /// <summary>Finds an utterance.</summary>
    /// <param name="id">Utterance id.</param>
    /// <param name="index">Its row.</param>
    /// <returns>False when the table does not hold it.</returns>
    public bool TryIndexOf(string id, out int index) => _index.TryGetValue(id, out index);

    /// <summary>The row of an utterance.</summary>
    /// <param name="id">Utterance id.</param>
    /// <returns>The row.</returns>
    /// <exception cref="DataFormatException">The table does not hold it.</exception>
    public int IndexOf(string id) => _index.TryGetValue(id, out int index)
        ? index
        : throw new DataFormatException($"there is no embedding of utterance '{id}' among the {Count} at hand: embed it too, or take it out of the list.");

    /// <summary>Cosine of two embeddings.</summary>
    /// <param name="first">Row.</param>
    /// <param name="second">Row.</param>
    /// <returns>A number of [−1, 1].</returns>
    public float Cosine(int first, int second) => Math.Clamp(TensorPrimitives.Dot(Row(first), Row(second)), -1f, 1f);

    /// <summary>Cosine of two utterances.</summary>
    /// <param name="first">Utterance id.</param>
    /// <param name="second">Utterance id.</param>
    /// <returns>A number of [−1, 1].</returns>
    /// <exception cref="DataFormatException">The table does not hold one of them.</exception>
    public float Cosine(string first, string second) => Cosine(IndexOf(first), IndexOf(second));

    /// <summary>Cosines of pairs of rows.</summary>
    /// <param name="first">Rows.</param>
    /// <param name="second">Rows, as many.</param>
    /// <param name="cosines">Receives one cosine per pair, in [−1, 1].</param>
    /// <exception cref="ShapeException">The three lengths differ.</exception>
    public void Cosines(ReadOnlySpan<int> first, ReadOnlySpan<int> second, Span<float> cosines)
    {
        if (first.Length != second.Length || first.Length != cosines.Length)
        {
            throw new ShapeException($"pairs of {first.Length} and {second.Length} rows with room for {cosines.Length} cosines: the lengths must agree.");
        }

        for (int i = 0; i < first.Length; i++)
        {
            cosines[i] = Cosine(first[i], second[i]);
        }
    }

    /// <summary>Cosines of one row with all rows.</summary>
    /// <param name="row">Row.</param>
    /// <param name="cosines">Receives [N] numbers of [−1, 1].</param>
    /// <exception cref="ShapeException">There is not room for exactly N.</exception>
    public void CosinesWithAll(int row, Span<float> cosines)
    {
        if (cosines.Length != Count)
        {
            throw new ShapeException($"room for {cosines.Length} cosines, but there are {Count} embeddings.");
        }

        for (int i = 0; i < cosines.Length; i++)
        {
            cosines[i] = Cosine(row, i);
        }
    }

    /// <summary>
    /// Writes the rows: <c>X.npy</c> (f32 [N, D]) with <c>X.ids.txt</c> (one id a line) beside it, or a Kaldi archive when the
    /// path ends in <c>.ark</c>, with <c>X.scp</c> beside it.
    /// </summary>
    /// <param name="path">Path ending in .npy or .ark.</param>
    /// <exception cref="InvalidOptionException">The path ends in something else.</exception>
    /// <exception cref="SpkException">The files cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        switch (Path.GetExtension(path))
        {
            case ".npy":
                // Ids first: should the disk fill up between the two, the old matrix and the new ids differ in nothing but time.
                AtomicFile.WriteLines(IdsPath(path), _ids);
                NpyFile.Write(path, _rows, Count, Dimension);
                break;
            case ".ark":
                KaldiArk.Write(path, Path.ChangeExtension(path, ".scp"), _ids, _rows, Dimension);
                break;
            default:
                throw new InvalidOptionException($"cannot tell the embedding format of '{path}': end its name in .npy or .ark.");
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote, a Kaldi text archive, or a Kaldi script file (.scp).</summary>
    /// <param name="path">Path ending in .npy, .ark or .scp.</param>
    /// <returns>The table.</returns>
    /// <exception cref="InvalidOptionException">The path ends in something else.</exception>
    /// <exception cref="DataFormatException">A file is missing, malformed, or the ids do not fit the matrix.</exception>
    public static EmbeddingTable Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        switch (Path.GetExtension(path))
        {
            case ".npy":
                return LoadNpy(path);
            case ".ark" or ".scp":
                var (ids, values, dimension) = KaldiArk.Read(path);
                return new EmbeddingTable(ids, values, dimension);
            default:
                throw new InvalidOptionException($"cannot tell the embedding format of '{path}': its name must end in .npy, .ark or .scp.");
        }
    }

    private static EmbeddingTable LoadNpy(string path)
    {
        string idsPath = IdsPath(path);
        var (shape, values) = NpyFile.ReadSingle(path);
        if (!File.Exists(idsPath))
        {
            throw new DataFormatException($"{idsPath} is missing: it names the rows of {path}, one id a line.");
        }

        string[] ids = [.. File.ReadLines(idsPath).Where(line => line.Length > 0)];
        if (shape.Count != 2 || shape[0] != ids.Length || shape[1] < 1)
        {
            throw new DataFormatException(
                $"{path} has shape [{string.Join(", ", shape)}] but {idsPath} names {ids.Length} utterances: the matrix must be [{ids.Length}, D].");
        }

        return new EmbeddingTable(ids, values, shape[1]);
    }

    private static string IdsPath(string path) => Path.ChangeExtension(path, ".ids.txt");

    private static float Normalize(string id, Span<float> row)
    {
        // f64, so that a long or large vector neither overflows nor loses digits.
        double sum = 0;
        foreach (float value in row)
        {
            sum += (double)value * value;
        }

        if (!double.IsFinite(sum))
        {
            throw new NonFiniteException($"the embedding of utterance '{id}' holds a NaN or an infinity: check the audio and the model it came from.");
        }

        double length = Math.Sqrt(sum);
        if (length > 0)
        {
            foreach (ref float value in row)
            {
                value = (float)(value / length);
            }
        }

        return (float)length;
    }
}
