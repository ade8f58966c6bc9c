using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>
/// A cohort with the normalization that it serves: what must lie beside a calibration of normalized scores for new recordings to be
/// scored like those it was learnt from.
/// </summary>
/// <remarks>Instances never change and may be used from any thread.</remarks>
public sealed class ScoreCohort
{
    private const string FileFormat = "spk-cohort", FileVersion = "1", ModelKey = "model", KindKey = "norm", TopKey = "top", DeviationKey = "deviation", CenterKey = "center", Tensor = "embeddings";

    // From here on, products of whole matrices are faster than one embedding after the other.
    private const int FewRows = 64;

    private readonly EmbeddingTable _embeddings;
    private readonly double[]? _mean;
    private readonly ScoreNormalizer _normalizer;

    /// <summary>Takes a cohort.</summary>
    /// <param name="embeddings">2 embeddings or more of speakers that are never enrolled: utterances, or speakers (<see cref="EmbeddingTable.Means"/>).</param>
    /// <param name="options">The normalization; null for AS-Norm with the defaults.</param>
    /// <param name="center">Whether the cohort's mean is subtracted from every embedding first.</param>
    /// <param name="model">Identity of the model that made the embeddings; null where it is not known.</param>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    /// <exception cref="DataFormatException">The cohort is too small, or holds zero vectors.</exception>
    public ScoreCohort(EmbeddingTable embeddings, ScoreNormOptions? options = null, bool center = false, string? model = null)
        : this(embeddings, options, center, model, null)
    {
    }

    private ScoreCohort(EmbeddingTable embeddings, ScoreNormOptions? options, bool center, string? model, string? identity)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        _embeddings = embeddings;
        _mean = center ? embeddings.Mean() : null;
        _normalizer = new ScoreNormalizer(Centered(embeddings), options);
        Model = model;
        Identity = identity ?? ComputeIdentity(embeddings.Values);
    }

    /// <summary>Identity of the model that made the embeddings; null where it is not known.</summary>
    public string? Model { get; }

    /// <summary>SHA-256 of the settings and the embeddings, 64 hexadecimal digits.</summary>
    public string Identity { get; }

    /// <summary>Members of the cohort.</summary>
    public int Count => _embeddings.Count;

    /// <summary>D, elements of an embedding.</summary>
    public int Dimension => _embeddings.Dimension;

    /// <summary>The settings of the normalization.</summary>
    public ScoreNormOptions Options => _normalizer.Options;

    /// <summary>The normalization, of embeddings that <see cref="Centered"/> gives.</summary>
    public ScoreNormalizer Normalizer => _normalizer;

    /// <summary>How scores by this cohort are called in <see cref="Calibration.Scoring"/>.</summary>
    public string Scoring => Options.Describe(Count) + (_mean is null ? "" : ", centred");

    /// <summary>Embeddings as they are compared: less the cohort's mean where that is asked for.</summary>
    /// <param name="embeddings">[N, D].</param>
    /// <exception cref="ShapeException">The sizes differ.</exception>
    public EmbeddingTable Centered(EmbeddingTable embeddings)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        return _mean is null ? embeddings : embeddings.Centered(_mean);
    }

    /// <summary>The normalized score of one pair.</summary>
    /// <param name="enrolment">[D], of unit length.</param>
    /// <param name="test">[D], of unit length.</param>
    /// <returns>The score, in deviations above the cohort's mean.</returns>
    /// <exception cref="ShapeException">A size is another.</exception>
    /// <exception cref="DataFormatException">All cosines of one side with the cohort are equal.</exception>
    public float Score(ReadOnlySpan<float> enrolment, ReadOnlySpan<float> test)
    {
        return Score(enrolment, Measure(One(enrolment))[0], Measure(test));
    }

    /// <summary>What scores need of many enrolments.</summary>
    internal ScoredEnrolment[] Measure(EmbeddingTable enrolments, CancellationToken cancellation = default)
    {
        var centred = Centered(enrolments);
        var sides = new ScoredEnrolment[centred.Count];
        var statistics = centred.Count > FewRows ? _normalizer.Measure(centred, cancellation: cancellation) : null;
        for (int i = 0; i < sides.Length; i++)
        {
            sides[i] = new ScoredEnrolment(statistics is null ? _normalizer.Measure(centred.Row(i)) : statistics[i], _mean is null ? 1 : centred.Lengths[i]);
        }

        return sides;
    }

    /// <summary>What scores need of one test.</summary>
    internal ScoredTest Measure(ReadOnlySpan<float> test)
    {
        var centred = Centered(One(test));
        float[] query = centred.Row(0).ToArray();
        double product = 0;
        for (int d = 0; d < query.Length && _mean is not null; d++)
        {
            product += _mean[d] * query[d];
        }

        return new ScoredTest(query, product, _normalizer.Measure(query));
    }

    /// <summary>A score from what was measured; (e − m)·t / |e − m| is the cosine of a centred enrolment with a centred test.</summary>
    internal float Score(ReadOnlySpan<float> enrolment, in ScoredEnrolment measured, in ScoredTest test)
    {
        double cosine = (TensorPrimitives.Dot<float>(enrolment, test.Query) - test.MeanProduct) / measured.Length;
        return (float)_normalizer.Normalize(Math.Clamp(cosine, -1, 1), measured.Statistics, test.Statistics);
    }

    /// <summary>Writes the file, safetensors, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public void Save(string path)
    {
        var content = new SafetensorsContent();
        content.Metadata[ModelKeys.Format] = FileFormat;
        content.Metadata[ModelKeys.FormatVersion] = FileVersion;
        content.Metadata[ModelKeys.Version] = ModelKeys.LibraryVersion;
        content.Metadata[ModelKey] = Model ?? "";
        content.Metadata[KindKey] = Options.Kind.ToString();
        content.Metadata[TopKey] = Options.Top.ToString(CultureInfo.InvariantCulture);
        content.Metadata[DeviationKey] = Options.Unbiased ? "unbiased" : "biased";
        content.Metadata[CenterKey] = _mean is null ? "no" : "yes";
        content.Add(Tensor, _embeddings.Values, Count, Dimension);
        SafetensorsFile.Write(path, content);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataFormatException">The file is missing, damaged, or no cohort; the message says which.</exception>
    public static ScoreCohort Load(string path)
    {
        using var file = SafetensorsFile.Open(path);
        string Text(string key) => file.Metadata.GetValueOrDefault(key) ?? "";
        if (Text(ModelKeys.Format) != FileFormat || Text(ModelKeys.FormatVersion) != FileVersion)
        {
            throw new DataFormatException($"{path} is no cohort of version {FileVersion} that 'spk calibrate' stored: calibrate again, or name another file.");
        }

        if (!file.Tensors.TryGetValue(Tensor, out var entry) || entry.Shape.Count != 2 || !Enum.TryParse<ScoreNorm>(Text(KindKey), out var kind)
            || !int.TryParse(Text(TopKey), NumberStyles.None, CultureInfo.InvariantCulture, out int top))
        {
            throw new DataFormatException($"{path} is damaged: it lacks the embeddings, the normalization or its number of neighbours; calibrate again.");
        }

        float[] values = file.ReadSingle(Tensor);
        try
        {
            var (rows, size) = (checked((int)entry.Shape[0]), checked((int)entry.Shape[1]));
            var options = new ScoreNormOptions { Kind = kind, Top = top, Unbiased = Text(DeviationKey) == "unbiased" };
            bool center = Text(CenterKey) == "yes";
            string? model = Text(ModelKey) is { Length: > 0 } named ? named : null;
            return new ScoreCohort(Numbered(rows, values, size), options, center, model, Digest(options, center, rows, values));
        }
        catch (Exception error) when (error is InvalidOptionException or NonFiniteException or ShapeException or OverflowException)
        {
            throw new DataFormatException($"{path} is damaged: {error.Message.TrimEnd('.')}; calibrate again.", error);
        }
    }

    private static EmbeddingTable Numbered(int rows, ReadOnlySpan<float> values, int size) =>
        new([.. Enumerable.Range(0, rows).Select(row => row.ToString(CultureInfo.InvariantCulture))], values, size);

    private EmbeddingTable One(ReadOnlySpan<float> unit) => unit.Length == Dimension
        ? Numbered(1, unit, unit.Length)
        : throw new ShapeException($"an embedding of size {unit.Length} cannot be normalized by a cohort of size {Dimension}: both must come from one model.");

    private string ComputeIdentity(ReadOnlySpan<float> values) => Digest(Options, _mean is not null, Count, values);

    // Without the model, which is compared by itself: the same embeddings normalize alike, whoever says where they come from.
    private static string Digest(ScoreNormOptions options, bool center, int rows, ReadOnlySpan<float> values)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{options.Describe(rows)}\0{center}\0"));
        hash.AppendData(MemoryMarshal.AsBytes(values));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
