using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>One task of <see cref="NearestCentroid"/>: a block of rows against all centroids.</summary>
internal unsafe struct NearestCentroidBody<TKernel> : IParallelBody
    where TKernel : struct, IGemmKernel
{
    /// <summary>Floats kept per row: best score, second score and index of the best, 16 lanes each.</summary>
    public const int StateFloats = 3 * Lanes;

    private const int Lanes = 16;

    public NearestCentroidRequest Request;
    public NearestCentroid.Layout<TKernel> Layout;
    public float* Packed, Offsets;
    public double* Sums;
    public int* Changed;
    public byte* Workers;
    public double LargestNorm;
    public int FirstTask;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int task = FirstTask + index;
        byte* memory = Workers + (worker * Layout.WorkerBytes);
        float* packedRows = (float*)memory;
        float* tile = (float*)(memory + Layout.TileAt);
        float* states = (float*)(memory + Layout.BestAt);
        int row0 = task * Layout.Rows;
        int rows = Math.Min(Layout.Rows, Request.Count - row0);
        PackRows(row0, rows, packedRows);
        int padded = Layout.Strips * TKernel.Width;
        for (int column = 0; column < padded; column += NearestCentroid.TileColumns)
        {
            int columns = Math.Min(NearestCentroid.TileColumns, padded - column);
            for (int block = 0; block < Layout.Blocks; block++)
            {
                Multiply(packedRows + ((nint)block * Layout.Rows * RowPanel.Stride), block, column, columns, rows, tile);
            }

            Reduce(tile, Offsets + column, states, rows, columns, column);
        }

        Finish(task, row0, rows, states);
    }

    private readonly void PackRows(int row0, int rows, float* packed)
    {
        int padded = (rows + TKernel.Height - 1) / TKernel.Height * TKernel.Height;
        for (int r = 0; r < padded; r++)
        {
            float* from = r < rows ? Request.Rows + (RowAt(row0 + r) * Request.RowStride) : null;
            for (int block = 0; block < Layout.Blocks; block++)
            {
                int depth0 = block * Layout.BlockDepth;
                nuint bytes = (nuint)Math.Min(Layout.BlockDepth, Request.Dimension - depth0) * sizeof(float);
                float* to = packed + ((((nint)block * Layout.Rows) + r) * RowPanel.Stride);
                if (from == null)
                {
                    NativeMemory.Clear(to, bytes);
                }
                else
                {
                    NativeMemory.Copy(from + depth0, to, bytes);
                }
            }
        }
    }

    private readonly void Multiply(float* rowsOfBlock, int block, int column0, int columns, int rows, float* tile)
    {
        int depth0 = block * Layout.BlockDepth;
        int depth = Math.Min(Layout.BlockDepth, Request.Dimension - depth0);
        float* b = Packed + ((nint)depth0 * Layout.Strips * TKernel.Width);

        // The panels of a strip share the fetching of the next one, as in the general product.
        nint nextStep = (TKernel.Width * TKernel.Height / rows) + 1;
        for (int column = 0; column < columns; column += TKernel.Width)
        {
            float* strip = b + ((nint)(column0 + column) * depth);
            float* next = strip + ((nint)TKernel.Width * depth);
            for (int row = 0; row < rows; row += TKernel.Height)
            {
                TKernel.Run<RowPanel>(
                    rowsOfBlock + ((nint)row * RowPanel.Stride), strip, depth, tile + ((nint)row * NearestCentroid.TileStride) + column,
                    NearestCentroid.TileStride, accumulate: block > 0, next, nextStep);
                next += depth * nextStep;
            }
        }
    }

    // Rows of states: best, second, index. Strictly larger wins, so the earliest column of a lane stays.
    [MethodImpl(HotLoop.Options)]
    private static void Reduce(float* tile, float* offsets, float* states, int rows, int columns, int column0)
    {
        for (int row = 0; row < rows; row++)
        {
            float* scores = tile + ((nint)row * NearestCentroid.TileStride);
            float* state = states + ((nint)row * StateFloats);
            Vector512<float> best, second;
            Vector512<int> index;
            if (column0 == 0)
            {
                best = second = Vector512.Create(float.NegativeInfinity);
                index = Vector512<int>.Zero;
            }
            else
            {
                best = Vector512.Load(state);
                second = Vector512.Load(state + Lanes);
                index = Vector512.Load((int*)(state + (2 * Lanes)));
            }

            var at = Vector512.Create(column0);
            var step = Vector512.Create(Lanes);
            for (int column = 0; column < columns; column += Lanes)
            {
                var score = Vector512.Load(scores + column) - Vector512.Load(offsets + column);
                index = Vector512.ConditionalSelect(Vector512.GreaterThan(score, best).AsInt32(), at, index);
                second = Vector512.MaxNative(second, Vector512.MinNative(score, best));
                best = Vector512.MaxNative(score, best);
                at += step;
            }

            best.Store(state);
            second.Store(state + Lanes);
            index.Store((int*)(state + (2 * Lanes)));
        }
    }

    private readonly void Finish(int task, int row0, int rows, float* states)
    {
        double sum = 0;
        int changed = 0;
        for (int r = 0; r < rows; r++)
        {
            nint row = RowAt(row0 + r);
            float* x = Request.Rows + (row * Request.RowStride);
            float* state = states + ((nint)r * StateFloats);
            float length = Request.Norms == null ? RowMath.ApproximateNorm(x, Request.Dimension) : Request.Norms[row];
            int label = Decide(x, length, state, out float runnerUp);
            changed += Request.Labels[row] == label ? 0 : 1;
            Request.Labels[row] = label;
            if (Request.Distances != null)
            {
                double distance = Measure(x, label);
                sum += Request.Scales == null ? distance : Request.Scales[row] * distance;
                Request.Distances[row] = (float)distance;
            }

            if (Request.RunnerUp != null)
            {
                Request.RunnerUp[row] = runnerUp;
            }
        }

        Sums[task] = Request.Metric == ClusterMetric.Cosine ? -sum : sum;
        Changed[task] = changed;
    }

    private readonly int Decide(float* x, float length, float* state, out float runnerUp)
    {
        var best = Vector512.Load(state);
        var second = Vector512.Load(state + Lanes);
        int* index = (int*)(state + (2 * Lanes));
        float largest = Largest(best);

        var bounds = new ScoreBounds(Request.Dimension, LargestNorm, Request.Metric);
        float error = bounds.Error(length);
        if (!bounds.InRange(length))
        {
            runnerUp = float.PositiveInfinity;
            return Search(x);
        }

        var limit = Vector512.Create(largest - (2 * error));
        ulong near = Vector512.GreaterThanOrEqual(best, limit).ExtractMostSignificantBits();
        bool hidden = Vector512.GreaterThanOrEqualAny(second, limit);
        if (BitOperations.IsPow2(near) && !hidden)
        {
            int lane = BitOperations.TrailingZeroCount(near);
            var others = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(best, limit), second, best);
            runnerUp = Request.RunnerUp == null ? 0 : Math.Max(Largest(others), Largest(second)) + error;
            return index[lane] + lane;
        }

        runnerUp = largest + error;
        return hidden ? Search(x) : Compare(x, near, index);
    }

    // No lane has two centroids within the error: the near ones are the best of some lanes.
    private readonly int Compare(float* x, ulong near, int* index)
    {
        int label = int.MaxValue;
        double nearest = double.PositiveInfinity;
        for (; near != 0; near &= near - 1)
        {
            int lane = BitOperations.TrailingZeroCount(near);
            int candidate = index[lane] + lane;
            double distance = Loss(x, candidate);
            if (distance < nearest || (distance == nearest && candidate < label))
            {
                (nearest, label) = (distance, candidate);
            }
        }

        return label;
    }

    private readonly int Search(float* x)
    {
        int label = 0;
        double nearest = double.PositiveInfinity;
        for (int k = 0; k < Request.Clusters; k++)
        {
            double distance = Loss(x, k);
            if (distance < nearest)
            {
                (nearest, label) = (distance, k);
            }
        }

        return label;
    }

    private readonly double Measure(float* x, int label) => Request.Metric == ClusterMetric.Cosine
        ? RowMath.DotSingle(x, Request.Centroid(label), Request.Dimension)
        : RowMath.SquaredDistanceInRange(x, Request.Centroid(label), Request.Dimension);

    private readonly double Loss(float* x, int label) => Request.Metric == ClusterMetric.Cosine ? -Exact(x, label) : Exact(x, label);

    private readonly double Exact(float* x, int label) => Request.Metric == ClusterMetric.Cosine
        ? RowMath.Dot(x, Request.Centroid(label), Request.Dimension)
        : RowMath.SquaredDistance(x, Request.Centroid(label), Request.Dimension);

    private readonly nint RowAt(int position) => Request.RowList == null ? position : Request.RowList[position];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector512<float> values)
    {
        var eight = Vector256.MaxNative(values.GetLower(), values.GetUpper());
        var four = Vector128.MaxNative(eight.GetLower(), eight.GetUpper());
        four = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        four = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2)));
        return four.ToScalar();
    }
}
