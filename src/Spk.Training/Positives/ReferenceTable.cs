using System.Numerics.Tensors;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Training.Checkpoints;

namespace Spk.Training.Positives;

/// <summary>The latest length-normalised embedding of a clean segment of every training utterance, in host memory.</summary>
internal sealed class ReferenceTable
{
    private readonly int _size;
    private readonly int[] _utterances, _placeOf;
    private readonly float[] _values;
    private readonly int[] _known;

    /// <summary>Makes an empty table.</summary>
    /// <param name="corpus">Utterances of the corpus.</param>
    /// <param name="members">Those that are trained on; empty for all.</param>
    /// <param name="size">Elements of an embedding.</param>
    public ReferenceTable(int corpus, IReadOnlyList<int> members, int size)
    {
        _size = size;
        _utterances = members.Count == 0 ? [.. Enumerable.Range(0, corpus)] : [.. members.Order()];
        _placeOf = new int[corpus];
        for (int i = 0; i < _utterances.Length; i++)
        {
            _placeOf[_utterances[i]] = i;
        }

        _values = new float[(long)_utterances.Length * size];
        _known = new int[_utterances.Length];
    }

    /// <summary>Whether an utterance has a reference.</summary>
    public bool Has(int utterance) => _known[_placeOf[utterance]] != 0;

    /// <summary>Stores the references of some utterances, length-normalised.</summary>
    /// <param name="utterances">Which.</param>
    /// <param name="embeddings">Their embeddings, row-major.</param>
    public void Store(ReadOnlySpan<int> utterances, ReadOnlySpan<float> embeddings)
    {
        for (int i = 0; i < utterances.Length; i++)
        {
            int place = _placeOf[utterances[i]];
            var from = embeddings.Slice(i * _size, _size);
            float length = MathF.Max(TensorPrimitives.Norm(from), 1e-12f);
            TensorPrimitives.Divide(from, length, RowOf(place));
            _known[place] = 1;
        }
    }

    /// <summary>Reads the references of some utterances; zeros where there is none.</summary>
    /// <param name="utterances">Which.</param>
    /// <param name="embeddings">Receives them, row-major.</param>
    public void Read(ReadOnlySpan<int> utterances, Span<float> embeddings)
    {
        for (int i = 0; i < utterances.Length; i++)
        {
            RowOf(_placeOf[utterances[i]]).CopyTo(embeddings.Slice(i * _size, _size));
        }
    }

    /// <summary>Groups all references by spherical k-means from random rows.</summary>
    /// <returns>The cluster of every utterance of the corpus, −1 for those without a reference, and the centroids.</returns>
    public (int[] ClusterOf, float[] Centroids) Cluster(int clusters, int iterations, ulong seed, Device device, CancellationToken cancellation)
    {
        var options = new KMeansOptions
        {
            Clusters = clusters,
            Metric = ClusterMetric.Cosine,
            Initialization = KMeansInitialization.RandomRows,
            EmptyClusters = EmptyClusterPolicy.Keep,
            MaximumIterations = iterations,
            Tolerance = 0,
            Seed = seed,
        };
        int[] places = [.. Enumerable.Range(0, _known.Length).Where(place => _known[place] != 0)];
        float[] rows = places.Length == _known.Length ? _values : Gather(places);
        var result = Fit(rows, options, device, cancellation);
        int[] clusterOf = new int[_placeOf.Length];
        Array.Fill(clusterOf, -1);
        for (int i = 0; i < places.Length; i++)
        {
            clusterOf[_utterances[places[i]]] = result.Labels[i];
        }

        return (clusterOf, result.Centroids);
    }

    public void VisitState(StateVisitor visitor)
    {
        visitor.Visit("ssps.references", _values);
        visitor.Visit("ssps.references_known", _known);
    }

    // Every process has the whole table, and on CPUs labels its share of the rows only.
    private KMeansResult Fit(float[] rows, KMeansOptions options, Device device, CancellationToken cancellation)
    {
        var processes = device.Collective;
        if (processes.Ranks == 1 || device is not CpuDevice cpu)
        {
            return KMeans.Fit(rows, _size, options, device: device, cancellation: cancellation);
        }

        int count = rows.Length / _size;
        var (first, share) = KMeans.ShareOf(count, processes);
        return KMeans.Join(KMeans.FitShared(rows.AsSpan(first * _size, share * _size), count, _size, options, cpu, cancellation: cancellation), count, processes);
    }

    private Span<float> RowOf(int place) => _values.AsSpan(checked(place * _size), _size);

    private float[] Gather(int[] places)
    {
        var rows = new float[places.Length * _size];
        for (int i = 0; i < places.Length; i++)
        {
            RowOf(places[i]).CopyTo(rows.AsSpan(i * _size));
        }

        return rows;
    }
}
