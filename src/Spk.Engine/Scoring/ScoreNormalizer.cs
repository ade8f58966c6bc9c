using System.Buffers;
using System.Numerics.Tensors;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>
/// Normalizes scores by what a cohort of embeddings scores with either side. The matrix of all cosines is never held: the nearest
/// come from <see cref="CosineTopK"/>, block by block, and mean and deviation over the whole cohort follow from the cohort's own
/// mean c̄ and covariance Σ, <c>μ = u·c̄</c> and <c>σ² = uᵀΣu</c> for a unit embedding u.
/// </summary>
/// <remarks>
/// The cohort should hold speakers that occur in no trial, recorded as the trials were. Instances never change; <see cref="Measure(EmbeddingTable, Device, CancellationToken)"/>
/// uses the device that it is given, which one thread may do at a time.
/// </remarks>
public sealed class ScoreNormalizer
{
    // Rows that are looked at together: enough for a full matrix product, few enough for 1024 neighbours each.
    private const int RowsAtOnce = 2048, CohortAtOnce = 8192;

    // Below this the cosines differ by nothing but their rounding.
    private const double LeastDeviation = 1e-6;

    /// <summary>Takes a cohort.</summary>
    /// <param name="cohort">2 embeddings or more: utterances, or speakers (<see cref="EmbeddingTable.Means"/>).</param>
    /// <param name="options">Kind, number of neighbours, deviation; null for AS-Norm with the defaults.</param>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    /// <exception cref="DataFormatException">The cohort is too small, or holds zero vectors.</exception>
    public ScoreNormalizer(EmbeddingTable cohort, ScoreNormOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(cohort);
        Options = options ?? new ScoreNormOptions();
        Options.Validate(cohort.Count);
        if (cohort.ZeroRows > 0)
        {
            throw new DataFormatException($"{cohort.ZeroRows} of the cohort's {cohort.Count} embeddings are zero vectors: take them out.");
        }

        Cohort = cohort;
    }

    /// <summary>The cohort.</summary>
    public EmbeddingTable Cohort { get; }

    /// <summary>The settings.</summary>
    public ScoreNormOptions Options { get; }

    /// <summary>Mean and deviation of every embedding's cosines with the cohort, or with its nearest members.</summary>
    /// <param name="embeddings">[N, D], D that of the cohort.</param>
    /// <param name="device">Where to compute, always in f32; its workspace is reset. Null for the CPU with all processors.</param>
    /// <param name="cancellation">Looked at once per block of rows.</param>
    /// <returns>[N].</returns>
    /// <exception cref="ShapeException">The sizes of the embeddings differ.</exception>
    /// <exception cref="DataFormatException">All cosines of an embedding are equal, as those of a zero vector are; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public CohortStatistics[] Measure(EmbeddingTable embeddings, Device? device = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        if (embeddings.Dimension != Cohort.Dimension)
        {
            throw new ShapeException($"embeddings of size {embeddings.Dimension} cannot be normalized by a cohort of size {Cohort.Dimension}: both must come from one model.");
        }

        using var own = device is null ? new CpuDevice() : null;
        device ??= own!;
        var statistics = new CohortStatistics[embeddings.Count];
        var precision = device.Precision;
        try
        {
            // Deviations are differences of nearly equal cosines, which rounded operands would drown.
            device.Precision = Precision.Fp32;
            if (Options.Kind == ScoreNorm.AdaptiveS)
            {
                MeasureNearest(embeddings, statistics, device, cancellation);
            }
            else
            {
                MeasureAll(embeddings, statistics, device, cancellation);
            }
        }
        finally
        {
            device.Precision = precision;
            device.Workspace.Reset();
        }

        int flat = Array.FindIndex(statistics, s => !(s.Deviation > LeastDeviation));
        return flat < 0 ? statistics : throw new DataFormatException(
            $"the embedding '{embeddings.Ids[flat]}' has one and the same cosine with the cohort: it is a zero vector, or the cohort's embeddings are equal.");
    }

    /// <summary>Mean and deviation of one embedding's cosines; any number of threads may do this at a time.</summary>
    /// <param name="embedding">[D], of unit length.</param>
    /// <exception cref="ShapeException">It has another size.</exception>
    /// <exception cref="DataFormatException">All cosines are equal, as those of a zero vector are.</exception>
    public CohortStatistics Measure(ReadOnlySpan<float> embedding)
    {
        if (embedding.Length != Cohort.Dimension)
        {
            throw new ShapeException($"an embedding of size {embedding.Length} cannot be normalized by a cohort of size {Cohort.Dimension}: both must come from one model.");
        }

        float[] rented = ArrayPool<float>.Shared.Rent(Cohort.Count);
        try
        {
            var cosines = rented.AsSpan(0, Cohort.Count);
            for (int i = 0; i < cosines.Length; i++)
            {
                cosines[i] = TensorPrimitives.Dot(embedding, Cohort.Row(i));
            }

            if (Options.Kind == ScoreNorm.AdaptiveS)
            {
                cosines.Sort();
                cosines = cosines[^Options.Top..];
            }

            var statistics = Statistics(cosines);
            return statistics.Deviation > LeastDeviation ? statistics : throw new DataFormatException(
                "an embedding has one and the same cosine with the cohort: it is a zero vector, or the cohort's embeddings are equal.");
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }

    /// <summary>The normalized score of a trial.</summary>
    /// <param name="score">The cosine.</param>
    /// <param name="enrolment">What <see cref="Measure(EmbeddingTable, Device, CancellationToken)"/> gave for the enrolment; not looked at by T-Norm.</param>
    /// <param name="test">What it gave for the test; not looked at by Z-Norm.</param>
    /// <returns>The score, in deviations above the cohort's mean.</returns>
    public double Normalize(double score, in CohortStatistics enrolment, in CohortStatistics test) => Options.Kind switch
    {
        ScoreNorm.Z => enrolment.Standardize(score),
        ScoreNorm.T => test.Standardize(score),
        _ => (enrolment.Standardize(score) + test.Standardize(score)) / 2,
    };

    private void MeasureNearest(EmbeddingTable embeddings, CohortStatistics[] statistics, Device device, CancellationToken cancellation)
    {
        int size = Cohort.Dimension, top = Options.Top;
        device.Workspace.Reset();
        var cohort = device.Workspace.Rent(new Shape(Cohort.Count, size));
        cohort.CopyFrom(Cohort.Values);
        var nearest = new float[Math.Min(RowsAtOnce, embeddings.Count) * top];
        var start = device.Workspace.Position;
        for (int first = 0; first < embeddings.Count; first += RowsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            device.Workspace.Advance(start);
            int rows = Math.Min(RowsAtOnce, embeddings.Count - first);
            var queries = device.Workspace.Rent(new Shape(rows, size));
            queries.CopyFrom(embeddings.Values.Slice(first * size, rows * size));
            CosineTopK.Forward(queries, cohort, top).Cosines.CopyTo(nearest);
            for (int row = 0; row < rows; row++)
            {
                statistics[first + row] = Statistics(nearest.AsSpan(row * top, top));
            }
        }
    }

    private CohortStatistics Statistics(ReadOnlySpan<float> cosines)
    {
        double mean = 0, squares = 0;
        foreach (float cosine in cosines)
        {
            mean += cosine;
        }

        mean /= cosines.Length;
        foreach (float cosine in cosines)
        {
            squares += (cosine - mean) * (cosine - mean);
        }

        return new CohortStatistics(mean, Math.Sqrt(squares / Divisor(cosines.Length)));
    }

    private void MeasureAll(EmbeddingTable embeddings, CohortStatistics[] statistics, Device device, CancellationToken cancellation)
    {
        int size = Cohort.Dimension;
        double[] mean = Cohort.Mean();
        float[] values = Covariance(mean, device, cancellation);
        device.Workspace.Reset();
        var covariance = device.Workspace.Rent(new Shape(size, size));
        covariance.CopyFrom(values);
        var products = new float[Math.Min(RowsAtOnce, embeddings.Count) * size];
        var start = device.Workspace.Position;
        for (int first = 0; first < embeddings.Count; first += RowsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            device.Workspace.Advance(start);
            int rows = Math.Min(RowsAtOnce, embeddings.Count - first);
            var queries = device.Workspace.Rent(new Shape(rows, size));
            queries.CopyFrom(embeddings.Values.Slice(first * size, rows * size));
            MatMul.Forward(null, queries, covariance).CopyTo(products);
            for (int row = 0; row < rows; row++)
            {
                var unit = embeddings.Row(first + row);
                double average = 0, variance = 0;
                for (int i = 0; i < size; i++)
                {
                    average += unit[i] * mean[i];
                    variance += (double)unit[i] * products[(row * size) + i];
                }

                statistics[first + row] = new CohortStatistics(average, Math.Sqrt(Math.Max(0, variance)));
            }
        }
    }

    /// <summary>Covariance of the cohort's rows, [D, D]: products of blocks in f32 on the device, added in f64.</summary>
    private float[] Covariance(double[] mean, Device device, CancellationToken cancellation)
    {
        int size = Cohort.Dimension;
        var sums = new double[size * size];
        var product = new float[sums.Length];
        var centred = new float[Math.Min(CohortAtOnce, Cohort.Count) * size];
        for (int first = 0; first < Cohort.Count; first += CohortAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            device.Workspace.Reset();
            int rows = Math.Min(CohortAtOnce, Cohort.Count - first);
            var values = Cohort.Values.Slice(first * size, rows * size);
            for (int i = 0; i < values.Length; i++)
            {
                centred[i] = (float)(values[i] - mean[i % size]);
            }

            var block = device.Workspace.Rent(new Shape(rows, size));
            block.CopyFrom(centred.AsSpan(0, values.Length));
            MatMul.Forward(null, block, block, transposeA: true).CopyTo(product);
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += product[i];
            }
        }

        TensorPrimitives.Divide(sums, Divisor(Cohort.Count), sums);
        return Array.ConvertAll(sums, s => (float)s);
    }

    private double Divisor(int count) => Options.Unbiased ? count - 1 : count;
}
