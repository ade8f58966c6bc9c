using Spk.Engine.Clustering;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Rows in a GPU's memory; weights, labels and distances come to the host, where rows are drawn.</summary>
internal sealed class CudaSeedingRows : ISeedingRows
{
    private readonly CudaDevice _cuda;
    private readonly Tensor _rows;

    public CudaSeedingRows(CudaDevice cuda, Tensor rows, Tensor? scales, ClusterMetric metric)
    {
        (_cuda, _rows, Metric) = (cuda, rows, metric);
        (Weights, Inverse) = new CudaPlusPlusSeeding(cuda, new CudaProblems(rows.Shape[0]), rows, scales, metric).WeightsAndInverse();
    }

    /// <inheritdoc/>
    public int Count => _rows.Shape[0];

    /// <inheritdoc/>
    public ClusterMetric Metric { get; }

    /// <inheritdoc/>
    public float[] Weights { get; }

    /// <inheritdoc/>
    public float[] Inverse { get; }

    /// <inheritdoc/>
    public void Search(ReadOnlySpan<int> batch, int[] labels, float[] distances, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var before = _cuda.Workspace.Position;
        var centroids = _cuda.Workspace.Rent(new Shape(batch.Length, _rows.Shape[1]));
        var labelTensor = _cuda.Workspace.Rent(new Shape(Count), ElementType.Int32);
        var distanceTensor = _cuda.Workspace.Rent(new Shape(Count));
        KMeansInit.CudaWrite(_cuda, new CudaProblems(Count), _rows, batch, Metric, centroids);
        KMeansAssign.Forward(_cuda, _rows, null, centroids, Metric, labelTensor, distanceTensor, cancellation);
        labelTensor.CopyIntsTo(labels);
        distanceTensor.CopyTo(distances);
        _cuda.Workspace.Advance(before);
    }

    /// <inheritdoc/>
    public int[] PlusPlus(int[] chosen, double[] weights, int clusters, int candidates, ulong seed, int start, CancellationToken cancellation) =>
        new CudaPlusPlusSeeding(_cuda, _rows, Metric, (chosen, weights)).Run(clusters, candidates, [seed], start, cancellation)[0];
}
