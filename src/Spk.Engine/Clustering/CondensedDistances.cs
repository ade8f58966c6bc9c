using System.Runtime.InteropServices;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>Distances of all pairs of n points: the upper triangle, row by row, n(n − 1)/2 floats.</summary>
internal sealed unsafe class CondensedDistances : IDisposable
{
    private readonly float* _data;
    private readonly int _count;

    public CondensedDistances(int count)
    {
        _count = count;
        long bytes = Math.Max(1, (long)count * (count - 1) / 2 * sizeof(float));
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > available)
        {
            throw new SpkException(
                $"Agglomerative clustering of {count} points needs {bytes >> 20} MiB for their distances, and this machine has {available >> 20} MiB: cluster the centroids of k-means instead.");
        }

        try
        {
            _data = (float*)NativeMemory.Alloc((nuint)bytes);
        }
        catch (OutOfMemoryException e)
        {
            throw new SpkException($"Out of memory: the distances of {count} points need {bytes >> 20} MiB; cluster the centroids of k-means instead.", e);
        }
    }

    ~CondensedDistances() => NativeMemory.Free(_data);

    public ref float this[int i, int j] => ref i < j ? ref Row(i)[j] : ref Row(j)[i];

    /// <summary>Where row i would begin if it held all columns: column j &gt; i is at this address plus j.</summary>
    public float* Row(int i) => _data + ((nint)i * _count) - ((nint)i * (i + 1) / 2) - i - 1;

    public void Dispose()
    {
        NativeMemory.Free(_data);
        GC.SuppressFinalize(this);
    }
}
