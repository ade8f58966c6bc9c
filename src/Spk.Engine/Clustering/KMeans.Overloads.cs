using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <content>Other kinds of matrices.</content>
public static unsafe partial class KMeans
{
    /// <summary>Clusters the rows of a matrix in memory that can be kept.</summary>
    /// <param name="rows">[N, D], row-major, finite.</param>
    /// <param name="dimension">D.</param>
    /// <param name="options">What to do.</param>
    /// <param name="initialCentroids">[K, D] or empty.</param>
    /// <param name="weights">[N] or empty.</param>
    /// <param name="device">Where to compute; null for the CPU.</param>
    /// <param name="progress">Told after every iteration.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>Labels, centroids and how they were reached.</returns>
    /// <inheritdoc cref="Fit(ReadOnlySpan{float}, int, KMeansOptions, ReadOnlySpan{float}, ReadOnlySpan{float}, Device, IProgress{KMeansProgress}, CancellationToken)" path="/exception"/>
    public static KMeansResult Fit(
        ReadOnlyMemory<float> rows,
        int dimension,
        KMeansOptions options,
        ReadOnlyMemory<float> initialCentroids = default,
        ReadOnlyMemory<float> weights = default,
        Device? device = null,
        IProgress<KMeansProgress>? progress = null,
        CancellationToken cancellation = default) =>
        Fit(rows.Span, dimension, options, initialCentroids.Span, weights.Span, device, progress, cancellation);

    /// <summary>Clusters the rows of a two-dimensional array, without a copy.</summary>
    /// <param name="rows">[N, D], finite.</param>
    /// <param name="options">What to do.</param>
    /// <param name="initialCentroids">[K, D] or null.</param>
    /// <param name="weights">[N] or empty.</param>
    /// <param name="device">Where to compute; null for the CPU.</param>
    /// <param name="progress">Told after every iteration.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>Labels, centroids and how they were reached.</returns>
    /// <inheritdoc cref="Fit(ReadOnlySpan{float}, int, KMeansOptions, ReadOnlySpan{float}, ReadOnlySpan{float}, Device, IProgress{KMeansProgress}, CancellationToken)" path="/exception"/>
    public static KMeansResult Fit(
        float[,] rows,
        KMeansOptions options,
        float[,]? initialCentroids = null,
        ReadOnlySpan<float> weights = default,
        Device? device = null,
        IProgress<KMeansProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (initialCentroids is not null && initialCentroids.GetLength(1) != rows.GetLength(1))
        {
            throw new ShapeException($"initial centroids have {initialCentroids.GetLength(1)} columns, the rows {rows.GetLength(1)}.");
        }

        return Fit(
            Span(rows), rows.GetLength(1), options, initialCentroids is null ? default : Span(initialCentroids), weights, device, progress, cancellation);
    }

    /// <summary>Clusters the rows of a jagged array. They are copied together first.</summary>
    /// <param name="rows">N arrays of D finite values.</param>
    /// <param name="options">What to do.</param>
    /// <param name="initialCentroids">K arrays of D values, or null.</param>
    /// <param name="weights">[N] or empty.</param>
    /// <param name="device">Where to compute; null for the CPU.</param>
    /// <param name="progress">Told after every iteration.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>Labels, centroids and how they were reached.</returns>
    /// <inheritdoc cref="Fit(ReadOnlySpan{float}, int, KMeansOptions, ReadOnlySpan{float}, ReadOnlySpan{float}, Device, IProgress{KMeansProgress}, CancellationToken)" path="/exception"/>
    public static KMeansResult Fit(
        float[][] rows,
        KMeansOptions options,
        float[][]? initialCentroids = null,
        ReadOnlySpan<float> weights = default,
        Device? device = null,
        IProgress<KMeansProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        float[] values = KMeansInput.Flatten(rows, nameof(rows), out int dimension);
        float[] initial = initialCentroids is null ? [] : KMeansInput.Flatten(initialCentroids, "initial centroids", out _);
        return Fit(values.AsSpan(), dimension, options, initial, weights, device, progress, cancellation);
    }

    /// <summary>Clusters the rows of a tensor of two axes. It is copied only where its rows do not follow each other in memory.</summary>
    /// <param name="rows">[N, D], finite.</param>
    /// <param name="options">What to do.</param>
    /// <param name="initialCentroids">[K, D], row-major, or empty.</param>
    /// <param name="weights">[N] or empty.</param>
    /// <param name="device">Where to compute; null for the CPU.</param>
    /// <param name="progress">Told after every iteration.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>Labels, centroids and how they were reached.</returns>
    /// <inheritdoc cref="Fit(ReadOnlySpan{float}, int, KMeansOptions, ReadOnlySpan{float}, ReadOnlySpan{float}, Device, IProgress{KMeansProgress}, CancellationToken)" path="/exception"/>
    public static KMeansResult Fit(
        in ReadOnlyTensorSpan<float> rows,
        KMeansOptions options,
        ReadOnlySpan<float> initialCentroids = default,
        ReadOnlySpan<float> weights = default,
        Device? device = null,
        IProgress<KMeansProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        if (rows.Rank != 2)
        {
            throw new ShapeException($"rows must be a tensor of two axes, [N, D]; it has {rows.Rank}.");
        }

        int count = checked((int)rows.FlattenedLength), dimension = checked((int)rows.Lengths[1]);
        if (rows.IsDense && rows.Strides[1] == 1)
        {
            return Fit(rows.GetSpan([0, 0], count), dimension, options, initialCentroids, weights, device, progress, cancellation);
        }

        float[] values = new float[count];
        rows.FlattenTo(values);
        return Fit(values.AsSpan(), dimension, options, initialCentroids, weights, device, progress, cancellation);
    }

    private static ReadOnlySpan<float> Span(float[,] values) => values.Length == 0
        ? default
        : MemoryMarshal.CreateReadOnlySpan(ref values[0, 0], values.Length);
}
