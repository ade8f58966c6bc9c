using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Clustering;

/// <summary>
/// The rows of a mixture, relative to its origin, and the passes over them. Rows are taken in blocks: responsibilities of a block
/// are computed tile by tile, then added up component by component in the order of the rows.
/// </summary>
internal sealed unsafe class MixtureData : IDisposable
{
    private const int TilesPerBlock = 16;
    private const int BlockRows = TilesPerBlock * PointTiles.Width;
    private const int ComponentsAtOnce = 4;

    // exp of less is 0 in f32.
    private const double LeastExponent = -87;

    private readonly float[] _rows;
    private readonly PointTiles _tiles;
    private readonly ParallelOptions _parallel;
    private readonly int _dimension;

    // Of every pass anew: components as the pass reads them, and what it says of each row.
    private readonly double[] _logLikelihoods;
    private double[] _constants = [];
    private float[] _means = [], _scales = [];

    public MixtureData(ReadOnlySpan<float> rows, int dimension, double[] origin, ParallelOptions parallel)
    {
        _dimension = dimension;
        _parallel = parallel;
        _rows = new float[rows.Length];
        Count = rows.Length / dimension;
        _logLikelihoods = new double[Count];
        for (int i = 0; i < Count; i++)
        {
            for (int d = 0; d < dimension; d++)
            {
                _rows[(i * dimension) + d] = (float)(rows[(i * dimension) + d] - origin[d]);
            }
        }

        _tiles = new PointTiles(_rows, dimension, [], ClusterMetric.Euclidean);
    }

    public int Count { get; }

    public static double[] MeanOf(ReadOnlySpan<float> rows, int dimension)
    {
        double[] mean = new double[dimension];
        for (int i = 0; i < rows.Length; i += dimension)
        {
            for (int d = 0; d < dimension; d++)
            {
                mean[d] += rows[i + d];
            }
        }

        TensorPrimitives.Divide(mean, rows.Length / dimension, mean);
        return mean;
    }

    /// <summary>Variance of all rows in each dimension.</summary>
    public double[] Variances()
    {
        double[] sums = new double[_dimension];
        for (int i = 0; i < _rows.Length; i += _dimension)
        {
            for (int d = 0; d < _dimension; d++)
            {
                sums[d] += (double)_rows[i + d] * _rows[i + d];
            }
        }

        TensorPrimitives.Divide(sums, Count, sums);
        return sums;
    }

    /// <summary>Adds every row to the sums of its label.</summary>
    public void AddOneHot(ReadOnlySpan<int> labels, MixtureSums sums)
    {
        for (int i = 0; i < Count; i++)
        {
            int at = labels[i] * _dimension;
            sums.Weights[labels[i]]++;
            for (int d = 0; d < _dimension; d++)
            {
                double x = _rows[(i * _dimension) + d];
                sums.Values[at + d] += x;
                sums.Squares[at + d] += x * x;
            }
        }
    }

    /// <summary>Most probable components and log-likelihoods (until the next pass) of all rows; adds them to the sums, if given, by their responsibilities.</summary>
    public double[] Expect(MixtureParameters parameters, MixtureSums? sums, int[] labels)
    {
        int components = parameters.Components;
        int padded = (components + ComponentsAtOnce - 1) / ComponentsAtOnce * ComponentsAtOnce;
        if (_constants.Length != padded)
        {
            _constants = new double[padded];
            (_means, _scales) = (new float[(long)padded * _dimension], new float[(long)padded * _dimension]);
        }

        double[] constants = _constants;
        float[] means = _means, scales = _scales;
        Array.Fill(constants, double.NegativeInfinity);
        for (int k = 0; k < components; k++)
        {
            constants[k] = parameters.LogConstant(k);
        }

        for (int i = 0; i < parameters.Means.Length; i++)
        {
            means[i] = (float)parameters.Means[i];
            scales[i] = (float)(1 / Math.Sqrt(parameters.Variances[i]));
        }

        double[] logLikelihoods = _logLikelihoods;

        // [padded components, rows of a block]: half the squared scaled distances, then responsibilities.
        float* shares = (float*)NativeMemory.AlignedAlloc((nuint)padded * BlockRows * sizeof(float), 64);
        try
        {
            nint address = (nint)shares;
            for (int first = 0; first < Count; first += BlockRows)
            {
                int from = first, rows = Math.Min(BlockRows, Count - first);
                Parallel.For(0, (rows + PointTiles.Width - 1) / PointTiles.Width, _parallel, t =>
                {
                    float* tile = (float*)address + (t * PointTiles.Width);
                    Distances((from / PointTiles.Width) + t, means, scales, padded, tile);
                    for (int i = 0; i < Math.Min(PointTiles.Width, rows - (t * PointTiles.Width)); i++)
                    {
                        int row = from + (t * PointTiles.Width) + i;
                        (labels[row], logLikelihoods[row]) = Share(tile + i, constants.AsSpan(0, components));
                    }
                });
                if (sums is not null)
                {
                    Parallel.For(0, components, _parallel, k => Add((float*)address + ((nint)k * BlockRows), from, rows, k, sums));
                }
            }
        }
        finally
        {
            NativeMemory.AlignedFree(shares);
        }

        return logLikelihoods;
    }

    public void Dispose() => _tiles.Dispose();

    // ½ Σ ((x − mean) / deviation)² of a tile's 32 rows for every component.
    private void Distances(int tile, float[] means, float[] scales, int components, float* to)
    {
        fixed (float* mean = means, scale = scales)
        {
            for (int k = 0; k < components; k += ComponentsAtOnce)
            {
                float* x = _tiles.Tile(tile);
                float* m0 = mean + ((nint)k * _dimension), m1 = m0 + _dimension, m2 = m1 + _dimension, m3 = m2 + _dimension;
                float* r0 = scale + ((nint)k * _dimension), r1 = r0 + _dimension, r2 = r1 + _dimension, r3 = r2 + _dimension;
                var s00 = Vector512<float>.Zero;
                var s01 = Vector512<float>.Zero;
                var s10 = Vector512<float>.Zero;
                var s11 = Vector512<float>.Zero;
                var s20 = Vector512<float>.Zero;
                var s21 = Vector512<float>.Zero;
                var s30 = Vector512<float>.Zero;
                var s31 = Vector512<float>.Zero;
                for (int d = 0; d < _dimension; d++, x += PointTiles.Width)
                {
                    var x0 = Vector512.Load(x);
                    var x1 = Vector512.Load(x + 16);
                    AddSquares(x0, x1, m0[d], r0[d], ref s00, ref s01);
                    AddSquares(x0, x1, m1[d], r1[d], ref s10, ref s11);
                    AddSquares(x0, x1, m2[d], r2[d], ref s20, ref s21);
                    AddSquares(x0, x1, m3[d], r3[d], ref s30, ref s31);
                }

                float* row = to + ((nint)k * BlockRows);
                (s00 * 0.5f).Store(row);
                (s01 * 0.5f).Store(row + 16);
                (s10 * 0.5f).Store(row + BlockRows);
                (s11 * 0.5f).Store(row + BlockRows + 16);
                (s20 * 0.5f).Store(row + (2 * BlockRows));
                (s21 * 0.5f).Store(row + (2 * BlockRows) + 16);
                (s30 * 0.5f).Store(row + (3 * BlockRows));
                (s31 * 0.5f).Store(row + (3 * BlockRows) + 16);
            }
        }
    }

    private static void AddSquares(Vector512<float> x0, Vector512<float> x1, float mean, float scale, ref Vector512<float> sum0, ref Vector512<float> sum1)
    {
        var m = Vector512.Create(mean);
        var s = Vector512.Create(scale);
        var d0 = (x0 - m) * s;
        var d1 = (x1 - m) * s;
        sum0 = Vector512.FusedMultiplyAdd(d0, d0, sum0);
        sum1 = Vector512.FusedMultiplyAdd(d1, d1, sum1);
    }

    // Turns one row's distances into responsibilities, in the log domain relative to the largest.
    private static (int Label, double LogLikelihood) Share(float* distances, ReadOnlySpan<double> constants)
    {
        int best = 0;
        double largest = double.NegativeInfinity;
        for (int k = 0; k < constants.Length; k++)
        {
            double log = constants[k] - distances[(nint)k * BlockRows];
            if (log > largest)
            {
                (best, largest) = (k, log);
            }
        }

        double sum = 0;
        for (int k = 0; k < constants.Length; k++)
        {
            ref float at = ref distances[(nint)k * BlockRows];
            double exponent = constants[k] - at - largest;
            at = exponent > LeastExponent ? (float)Math.Exp(exponent) : 0;
            sum += at;
        }

        for (int k = 0; k < constants.Length; k++)
        {
            ref float at = ref distances[(nint)k * BlockRows];
            at = at == 0 ? 0 : (float)(at / sum);
        }

        return (best, largest + Math.Log(sum));
    }

    private void Add(float* shares, int first, int rows, int component, MixtureSums sums)
    {
        var values = sums.Values.AsSpan(component * _dimension, _dimension);
        var squares = sums.Squares.AsSpan(component * _dimension, _dimension);
        for (int i = 0; i < rows; i++)
        {
            double share = shares[i];
            if (share == 0)
            {
                continue;
            }

            sums.Weights[component] += share;
            var row = _rows.AsSpan((first + i) * _dimension, _dimension);
            for (int d = 0; d < row.Length; d++)
            {
                double x = row[d], weighted = share * x;
                values[d] += weighted;
                squares[d] += weighted * x;
            }
        }
    }
}
