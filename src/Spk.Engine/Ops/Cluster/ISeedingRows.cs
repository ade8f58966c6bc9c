using Spk.Engine.Clustering;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Rows that k-means‖ draws from, wherever they lie.</summary>
internal interface ISeedingRows
{
    /// <summary>N.</summary>
    int Count { get; }

    ClusterMetric Metric { get; }

    /// <summary>[N], weight of every row.</summary>
    float[] Weights { get; }

    /// <summary>[N], under cosine 1 / length of every row, 0 for a row of zeros.</summary>
    float[] Inverse { get; }

    /// <summary>The nearest of some rows to every row.</summary>
    /// <param name="batch">Row numbers.</param>
    /// <param name="labels">[N], out: position in the batch.</param>
    /// <param name="distances">[N], out: squared distance, or under cosine the dot product with the unit row.</param>
    /// <param name="cancellation">Looked at now and then.</param>
    void Search(ReadOnlySpan<int> batch, int[] labels, float[] distances, CancellationToken cancellation);

    /// <summary>k-means++ among some rows.</summary>
    /// <param name="chosen">Row numbers.</param>
    /// <param name="weights">Their weights.</param>
    /// <param name="clusters">How many to choose.</param>
    /// <param name="candidates">Draws a step.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="start">Which start.</param>
    /// <param name="cancellation">Looked at every step.</param>
    int[] PlusPlus(int[] chosen, double[] weights, int clusters, int candidates, ulong seed, int start, CancellationToken cancellation);
}
