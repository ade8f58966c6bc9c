using Spk.Engine.Scoring;

namespace Spk.Engine.Verification;

/// <content>What a cohort scores with the profiles: measured once a profile, when it is first compared with all.</content>
public sealed partial class ProfileStore
{
    private const int MeasuredAtOnce = 8192;

    // One of each a row; those of the unmeasured mean nothing.
    private readonly List<ScoredEnrolment> _measured = [];
    private readonly HashSet<string> _unmeasured = new(StringComparer.Ordinal);
    private readonly Lock _measuring = new();
    private ScoreCohort? _cohort;

    /// <summary>Makes <see cref="Nearest"/> rank by normalized scores; to be called before the store is shared.</summary>
    internal void NormalizeBy(ScoreCohort cohort)
    {
        using var writing = Write();
        _cohort = cohort;
        _unmeasured.UnionWith(_ids);
    }

    /// <summary>A read lock under which every profile has been measured.</summary>
    private Reading ReadMeasured(CancellationToken cancellation)
    {
        while (true)
        {
            var reading = Read();
            if (_unmeasured.Count == 0)
            {
                return reading;
            }

            reading.Dispose();

            // Without the lock: enrolments and other readings go on meanwhile.
            lock (_measuring)
            {
                MeasureSome(cancellation);
            }
        }
    }

    private void MeasureSome(CancellationToken cancellation)
    {
        string[] ids;
        float[] rows;
        using (Read())
        {
            ids = [.. _unmeasured.Take(MeasuredAtOnce)];
            rows = new float[ids.Length * EmbeddingSize];
            for (int i = 0; i < ids.Length; i++)
            {
                Row(_index[ids[i]]).CopyTo(rows.AsSpan(i * EmbeddingSize));
            }
        }

        var measured = _cohort!.Measure(new EmbeddingTable(ids, rows, EmbeddingSize), cancellation);
        using var writing = Write();
        for (int i = 0; i < ids.Length; i++)
        {
            // A profile that was replaced meanwhile is measured again.
            if (_index.TryGetValue(ids[i], out int row) && Row(row).SequenceEqual(rows.AsSpan(i * EmbeddingSize, EmbeddingSize)))
            {
                _measured[row] = measured[i];
                _unmeasured.Remove(ids[i]);
            }
        }
    }
}
