using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <content>Tables made from other tables: selections, profiles, centred embeddings.</content>
public sealed partial class EmbeddingTable
{
    /// <summary>Some of the embeddings.</summary>
    /// <param name="ids">Utterance ids, unique.</param>
    /// <returns>A table of them, in the order given.</returns>
    /// <exception cref="DataFormatException">The table does not hold one of them.</exception>
    public EmbeddingTable Select(IReadOnlyList<string> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var values = new float[ids.Count * Dimension];
        for (int i = 0; i < ids.Count; i++)
        {
            Row(IndexOf(ids[i])).CopyTo(values.AsSpan(i * Dimension));
        }

        return new EmbeddingTable(ids, values, Dimension);
    }

    /// <summary>
    /// Profiles: the mean of the unit embeddings of several utterances, scaled to unit length again. With all utterances of each
    /// speaker these are the speakers' means, for a cohort.
    /// </summary>
    /// <param name="members">Utterance ids by profile; at least one each.</param>
    /// <returns>A table of one row a profile, in the order given.</returns>
    /// <exception cref="DataFormatException">A profile has no utterance, or the table does not hold one of them.</exception>
    public EmbeddingTable Means(IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        string[] names = [.. members.Select(m => m.Key)];
        var values = new float[names.Length * Dimension];
        var sum = new double[Dimension];
        for (int i = 0; i < names.Length; i++)
        {
            if (members[i].Value.Count == 0)
            {
                throw new DataFormatException($"the profile '{names[i]}' has no utterance: at least one is needed.");
            }

            Array.Clear(sum);
            foreach (string id in members[i].Value)
            {
                AddTo(sum, Row(IndexOf(id)));
            }

            for (int d = 0; d < Dimension; d++)
            {
                values[(i * Dimension) + d] = (float)(sum[d] / members[i].Value.Count);
            }
        }

        return new EmbeddingTable(names, values, Dimension);
    }

    /// <summary>The mean of all rows, each of unit length.</summary>
    /// <returns>[D].</returns>
    public double[] Mean()
    {
        var sum = new double[Dimension];
        for (int i = 0; i < Count; i++)
        {
            AddTo(sum, Row(i));
        }

        return Array.ConvertAll(sum, s => s / Count);
    }

    /// <summary>Embeddings less a mean, scaled to unit length again.</summary>
    /// <param name="mean">[D], such as the <see cref="Mean"/> of a cohort.</param>
    /// <returns>A table of the same ids.</returns>
    /// <exception cref="ShapeException">The mean has another size.</exception>
    public EmbeddingTable Centered(ReadOnlySpan<double> mean)
    {
        if (mean.Length != Dimension)
        {
            throw new ShapeException($"a mean of size {mean.Length} cannot be subtracted from embeddings of size {Dimension}.");
        }

        var values = new float[_rows.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(_rows[i] - mean[i % Dimension]);
        }

        return new EmbeddingTable(_ids, values, Dimension);
    }

    private static void AddTo(double[] sum, ReadOnlySpan<float> row)
    {
        for (int d = 0; d < sum.Length; d++)
        {
            sum[d] += row[d];
        }
    }
}
