using System.Globalization;
using System.Numerics.Tensors;

namespace Spk.Training;

/// <summary>How spread out a batch of embeddings is.</summary>
/// <param name="Spread">√D times the mean deviation of a coordinate of the length-normalised embeddings: near 1 when directions are uniform, 0 when all are the same.</param>
/// <param name="EffectiveRank">Participation ratio (Σλ)²/Σλ² of the covariance's eigenvalues λ: how many directions carry the variance, 1 to D; 0 when nothing varies.</param>
public readonly record struct EmbeddingSpread(float Spread, float EffectiveRank);

/// <summary>Ways in which embeddings stop telling utterances apart.</summary>
internal enum Collapse
{
    /// <summary>They do not.</summary>
    None,

    /// <summary>All embeddings are the same.</summary>
    ToPoint,

    /// <summary>All embeddings lie on a line.</summary>
    ToLine,

    /// <summary>Different utterances are nearly as similar as the same one.</summary>
    NegativesNear,
}

/// <summary>Measures embeddings and says when they collapse: to a point, to a line, or with every negative as near as the positive.</summary>
internal sealed class CollapseGuard
{
    /// <summary>Above this mean cosine of negatives, different utterances are hardly told apart.</summary>
    public const float NegativeCosineLimit = 0.95f;

    /// <summary>Below this spread, the embeddings are one point.</summary>
    public const float SpreadLimit = 0.05f;

    /// <summary>Below this rank, the embeddings lie on a line.</summary>
    public const float RankLimit = 1.2f;

    private readonly int _dimension;
    private readonly float[] _rows, _columns, _mean;

    public CollapseGuard(int rows, int dimension)
    {
        _dimension = dimension;
        _rows = new float[rows * dimension];
        _columns = new float[rows * dimension];
        _mean = new float[dimension];
    }

    /// <summary>Measures a batch; allocates nothing.</summary>
    /// <param name="embeddings">Row-major, as many rows as the guard was made for.</param>
    public EmbeddingSpread Measure(ReadOnlySpan<float> embeddings)
    {
        int n = embeddings.Length / _dimension, d = _dimension;
        Array.Clear(_mean);
        for (int i = 0; i < n; i++)
        {
            var row = _rows.AsSpan(i * d, d);
            var source = embeddings.Slice(i * d, d);
            TensorPrimitives.Multiply(source, 1f / MathF.Max(TensorPrimitives.Norm(source), 1e-12f), row);
            TensorPrimitives.Add(_mean, row, _mean);
        }

        TensorPrimitives.Multiply<float>(_mean, 1f / n, _mean);
        for (int i = 0; i < n; i++)
        {
            var row = _rows.AsSpan(i * d, d);
            TensorPrimitives.Subtract(row, _mean, row);
            for (int j = 0; j < d; j++)
            {
                _columns[(j * n) + i] = row[j];
            }
        }

        double deviation = 0, trace = 0;
        for (int j = 0; j < d; j++)
        {
            float sum = TensorPrimitives.SumOfSquares<float>(_columns.AsSpan(j * n, n));
            deviation += Math.Sqrt(sum / n);
            trace += sum;
        }

        // The sum of squared eigenvalues is that of the squared entries of either Gram matrix; take the smaller one.
        double squares = n <= d ? SumOfSquaredProducts(_rows, n, d) : SumOfSquaredProducts(_columns, d, n);
        float rank = squares > 0 ? (float)(trace * trace / squares) : 0;
        return new EmbeddingSpread((float)(deviation / d * Math.Sqrt(d)), rank);
    }

    /// <summary>What is wrong with these figures, the worst first. A spread or rank of NaN is a collapse too; a cosine of NaN was not measured.</summary>
    public static Collapse Judge(EmbeddingSpread spread, float negativeCosine) =>
        !(spread.Spread >= SpreadLimit) ? Collapse.ToPoint
        : !(spread.EffectiveRank >= RankLimit) ? Collapse.ToLine
        : negativeCosine > NegativeCosineLimit ? Collapse.NegativesNear
        : Collapse.None;

    /// <summary>The warning for a judgement.</summary>
    public static string Describe(Collapse collapse, EmbeddingSpread spread, float negativeCosine) => collapse switch
    {
        Collapse.ToPoint => Format($"embeddings collapse to one point (spread {spread.Spread:0.000} < {SpreadLimit}): lower schedule.learningRate or objective.margin"),
        Collapse.ToLine => Format($"embeddings collapse to a line (effective rank {spread.EffectiveRank:0.0} < {RankLimit}): lower schedule.learningRate or objective.margin"),
        _ => Format($"embeddings of different utterances have a mean cosine of {negativeCosine:0.000} > {NegativeCosineLimit}: raise objective.temperature or lower schedule.learningRate"),
    };

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static double SumOfSquaredProducts(float[] values, int rows, int width)
    {
        double sum = 0;
        for (int i = 0; i < rows; i++)
        {
            var a = values.AsSpan(i * width, width);
            for (int j = 0; j <= i; j++)
            {
                double product = TensorPrimitives.Dot<float>(a, values.AsSpan(j * width, width));
                sum += (i == j ? 1 : 2) * product * product;
            }
        }

        return sum;
    }
}
