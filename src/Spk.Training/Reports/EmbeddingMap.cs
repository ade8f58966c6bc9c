using System.Numerics.Tensors;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Evaluation;

namespace Spk.Training.Reports;

/// <summary>An embedding on a plane.</summary>
/// <param name="X">Abscissa, arbitrary unit.</param>
/// <param name="Y">Ordinate, arbitrary unit.</param>
/// <param name="Speaker">Speaker of the utterance.</param>
/// <param name="Utterance">Utterance id.</param>
public readonly record struct MapPoint(double X, double Y, string Speaker, string Utterance);

/// <summary>How <see cref="EmbeddingMap"/> lays embeddings out.</summary>
public enum EmbeddingMapMethod
{
    /// <summary>The two directions of largest variance.</summary>
    Pca,

    /// <summary>Neighbours stay neighbours; distances between clusters mean little.</summary>
    TSne,
}

/// <summary>Two-dimensional maps of embeddings, the same on every run.</summary>
public static class EmbeddingMap
{
    /// <summary>Lays out the embeddings of a table.</summary>
    /// <param name="table">Embeddings.</param>
    /// <param name="method">Layout.</param>
    /// <param name="speakerOf">Speaker of an utterance id; null reads it off the path.</param>
    /// <param name="maximumPoints">Whole speakers are taken, spread evenly over all, until this many utterances are reached.</param>
    /// <returns>One point per utterance taken, in the order of the table.</returns>
    public static IReadOnlyList<MapPoint> Compute(
        EmbeddingTable table, EmbeddingMapMethod method = EmbeddingMapMethod.TSne, Func<string, string>? speakerOf = null, int maximumPoints = 500)
    {
        ArgumentNullException.ThrowIfNull(table);
        speakerOf ??= SpeakerFolders.Speaker;
        string[] speakers = [.. table.Ids.Select(speakerOf)];
        int[] rows = Take(speakers, maximumPoints);
        var values = new float[rows.Length * table.Dimension];
        for (int i = 0; i < rows.Length; i++)
        {
            table.Row(rows[i]).CopyTo(values.AsSpan(i * table.Dimension));
        }

        double[] plane = method == EmbeddingMapMethod.Pca ? Pca(values, table.Dimension) : TSne.Run(values, table.Dimension);
        return [.. rows.Select((row, i) => new MapPoint(plane[2 * i], plane[(2 * i) + 1], speakers[row], table.Ids[row]))];
    }

    /// <summary>Projects rows on their two principal components (power iteration on the covariance).</summary>
    /// <param name="values">Row-major [N, D], finite.</param>
    /// <param name="dimension">D.</param>
    /// <returns>[N, 2], centred; the sign of each axis is fixed by its largest loading.</returns>
    /// <exception cref="ShapeException">The values are not rows of that size.</exception>
    public static double[] Pca(ReadOnlySpan<float> values, int dimension)
    {
        if (dimension < 1 || values.Length % dimension != 0)
        {
            throw new ShapeException($"{values.Length} values are no rows of {dimension} elements.");
        }

        int count = values.Length / dimension;
        var centred = new double[values.Length];
        var mean = new double[dimension];
        for (int i = 0; i < values.Length; i++)
        {
            mean[i % dimension] += values[i] / (double)count;
        }

        for (int i = 0; i < values.Length; i++)
        {
            centred[i] = values[i] - mean[i % dimension];
        }

        var first = Component(centred, dimension, [], stream: 0);
        var second = Component(centred, dimension, first, stream: 1);
        var plane = new double[2 * count];
        for (int i = 0; i < count; i++)
        {
            var row = centred.AsSpan(i * dimension, dimension);
            plane[2 * i] = TensorPrimitives.Dot<double>(row, first);
            plane[(2 * i) + 1] = TensorPrimitives.Dot<double>(row, second);
        }

        return plane;
    }

    private static double[] Component(double[] centred, int dimension, ReadOnlySpan<double> previous, int stream)
    {
        var random = new CounterRandom(1, RandomPurpose.Plot, item: stream);
        var direction = new double[dimension];
        foreach (ref double d in direction.AsSpan())
        {
            d = random.NextNormal();
        }

        var next = new double[dimension];
        for (int step = 0; step < 500; step++)
        {
            RemoveAndScale(direction, previous);
            Array.Clear(next);
            for (int at = 0; at < centred.Length; at += dimension)
            {
                var row = centred.AsSpan(at, dimension);
                TensorPrimitives.MultiplyAdd(row, TensorPrimitives.Dot<double>(row, direction), next, next);
            }

            if (TensorPrimitives.Norm<double>(next) < 1e-200)
            {
                break; // no variance left: any direction will do
            }

            RemoveAndScale(next, previous);
            double change = 1 - Math.Abs(TensorPrimitives.Dot<double>(next, direction));
            (direction, next) = (next, direction);
            if (change < 1e-13)
            {
                break;
            }
        }

        if (direction.MaxBy(Math.Abs) < 0)
        {
            TensorPrimitives.Negate(direction, direction);
        }

        return direction;
    }

    private static void RemoveAndScale(double[] direction, ReadOnlySpan<double> previous)
    {
        if (!previous.IsEmpty)
        {
            TensorPrimitives.MultiplyAdd(previous, -TensorPrimitives.Dot<double>(previous, direction), direction, direction);
        }

        double length = TensorPrimitives.Norm<double>(direction);
        if (length > 0)
        {
            TensorPrimitives.Divide(direction, length, direction);
        }
    }

    private static int[] Take(string[] speakers, int maximumPoints)
    {
        if (speakers.Length <= maximumPoints)
        {
            return [.. Enumerable.Range(0, speakers.Length)];
        }

        // Every k-th speaker in alphabetical order, so that all sources are seen.
        var bySpeaker = Enumerable.Range(0, speakers.Length).GroupBy(i => speakers[i], StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).ToArray();
        int wanted = Math.Max(1, (int)((long)bySpeaker.Length * maximumPoints / speakers.Length));
        var rows = new List<int>();
        for (int k = 0; k < wanted && rows.Count < maximumPoints; k++)
        {
            rows.AddRange(bySpeaker[(int)((long)k * bySpeaker.Length / wanted)].Take(maximumPoints - rows.Count));
        }

        rows.Sort();
        return [.. rows];
    }
}
