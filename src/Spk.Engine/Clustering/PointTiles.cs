using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Clustering;

/// <summary>
/// A copy of points in tiles of 32, each tile [D, 32] with one point a lane, the last one filled up with zeros. Distances are sums
/// of squared differences rather than products, so that close points far from the origin lose no digits.
/// </summary>
internal sealed unsafe class PointTiles : IDisposable
{
    /// <summary>Points in a tile.</summary>
    public const int Width = 32;

    /// <summary>Points measured against a whole tile at once.</summary>
    public const int Group = 4;

    private readonly float* _data;
    private readonly nint _tileSize;
    private readonly bool[] _zero;
    private readonly bool _hasZero;

    /// <summary>Copies points in a given order.</summary>
    /// <param name="rows">Row-major [N, D].</param>
    /// <param name="dimension">D.</param>
    /// <param name="order">Which row each place takes; empty for all rows as they are.</param>
    /// <param name="metric">Cosine scales every row to unit length.</param>
    public PointTiles(ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> order, ClusterMetric metric)
    {
        Count = order.IsEmpty ? rows.Length / dimension : order.Length;
        Dimension = dimension;
        Metric = metric;
        Tiles = (Count + Width - 1) / Width;
        _tileSize = (nint)dimension * Width;
        nuint bytes = (nuint)(Tiles * _tileSize * sizeof(float));
        _data = (float*)NativeMemory.AlignedAlloc(bytes, 64);
        NativeMemory.Clear(_data, bytes);
        _zero = new bool[Tiles * Width];
        float[] unit = new float[dimension];
        for (int place = 0; place < Count; place++)
        {
            int row = order.IsEmpty ? place : order[place];
            var values = rows.Slice(row * dimension, dimension);
            if (metric == ClusterMetric.Cosine)
            {
                _zero[place] = !Normalize(values, unit);
                _hasZero |= _zero[place];
                values = unit;
            }

            float* to = Tile(place / Width) + (place % Width);
            for (int d = 0; d < dimension; d++)
            {
                to[d * Width] = values[d];
            }
        }
    }

    public int Count { get; }

    public int Dimension { get; }

    public ClusterMetric Metric { get; }

    public int Tiles { get; }

    public float* Tile(int index) => _data + (index * _tileSize);

    /// <summary>
    /// Squared lengths of the differences of four points (of one tile, from place <paramref name="first"/> on) and all 32 points of
    /// a tile: <paramref name="squares"/> is [4, 32].
    /// </summary>
    [SkipLocalsInit]
    public void SquaredDistances(int first, int tile, float* squares)
    {
        float* x = Tile(first / Width) + (first % Width);
        float* y = Tile(tile);
        var s00 = Vector512<float>.Zero;
        var s01 = Vector512<float>.Zero;
        var s10 = Vector512<float>.Zero;
        var s11 = Vector512<float>.Zero;
        var s20 = Vector512<float>.Zero;
        var s21 = Vector512<float>.Zero;
        var s30 = Vector512<float>.Zero;
        var s31 = Vector512<float>.Zero;
        for (int d = 0; d < Dimension; d++, x += Width, y += Width)
        {
            var y0 = Vector512.Load(y);
            var y1 = Vector512.Load(y + 16);
            var x0 = Vector512.Create(x[0]);
            var x1 = Vector512.Create(x[1]);
            var x2 = Vector512.Create(x[2]);
            var x3 = Vector512.Create(x[3]);
            var d00 = y0 - x0;
            var d01 = y1 - x0;
            var d10 = y0 - x1;
            var d11 = y1 - x1;
            var d20 = y0 - x2;
            var d21 = y1 - x2;
            var d30 = y0 - x3;
            var d31 = y1 - x3;
            s00 = Vector512.FusedMultiplyAdd(d00, d00, s00);
            s01 = Vector512.FusedMultiplyAdd(d01, d01, s01);
            s10 = Vector512.FusedMultiplyAdd(d10, d10, s10);
            s11 = Vector512.FusedMultiplyAdd(d11, d11, s11);
            s20 = Vector512.FusedMultiplyAdd(d20, d20, s20);
            s21 = Vector512.FusedMultiplyAdd(d21, d21, s21);
            s30 = Vector512.FusedMultiplyAdd(d30, d30, s30);
            s31 = Vector512.FusedMultiplyAdd(d31, d31, s31);
        }

        s00.Store(squares);
        s01.Store(squares + 16);
        s10.Store(squares + 32);
        s11.Store(squares + 48);
        s20.Store(squares + 64);
        s21.Store(squares + 80);
        s30.Store(squares + 96);
        s31.Store(squares + 112);
    }

    /// <summary>As <see cref="SquaredDistances"/>, turned into distances; a zero vector is at cosine distance 1 from all others.</summary>
    public void Distances(int first, int tile, float* distances)
    {
        SquaredDistances(first, tile, distances);
        if (Metric == ClusterMetric.Euclidean)
        {
            for (int i = 0; i < Group * Width; i += 16)
            {
                Vector512.Sqrt(Vector512.Load(distances + i)).Store(distances + i);
            }

            return;
        }

        // Of unit vectors 1 − cos = ½‖x − y‖².
        for (int i = 0; i < Group * Width; i += 16)
        {
            (Vector512.Load(distances + i) * 0.5f).Store(distances + i);
        }

        if (_hasZero)
        {
            SetZeroVectors(first, tile, distances);
        }
    }

    private void SetZeroVectors(int first, int tile, float* distances)
    {
        for (int i = first; i < first + Group; i++)
        {
            for (int j = tile * Width; j < (tile + 1) * Width; j++)
            {
                if (i != j && (_zero[i] || _zero[j]))
                {
                    distances[((i - first) * Width) + j - (tile * Width)] = 1;
                }
            }
        }
    }

    /// <summary>Scales a vector to unit length; false for a zero vector, which stays one.</summary>
    public static bool Normalize(ReadOnlySpan<float> values, Span<float> unit)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += (double)value * value;
        }

        // Below the smallest float squared there is nothing but zeros.
        if (sum == 0)
        {
            unit.Clear();
            return false;
        }

        double scale = 1 / Math.Sqrt(sum);
        for (int d = 0; d < values.Length; d++)
        {
            unit[d] = (float)(values[d] * scale);
        }

        return true;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        GC.SuppressFinalize(this);
    }

    ~PointTiles() => NativeMemory.AlignedFree(_data);
}
