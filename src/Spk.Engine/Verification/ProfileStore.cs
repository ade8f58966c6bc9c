using System.Buffers;
using System.Numerics.Tensors;
using System.Text;
using Spk.Engine.Ops.Score;
using Spk.Interop;

namespace Spk.Engine.Verification;

/// <summary>Profiles of one model, by name, in memory and in a file.</summary>
/// <remarks>
/// Safe for any number of threads: readers run side by side, a change waits for them. <see cref="Save"/> replaces the whole file at
/// once, so that a crash leaves the old or the new one; one process at a time should write it. 100,000 profiles of size 192 are 77 MB:
/// to enrol many at once, <see cref="Put"/> all of them and save once.
/// </remarks>
public sealed partial class ProfileStore : IDisposable
{
    private const int RowsAtOnce = 1024, LongestId = 256;

    // Rows lie in blocks, so that a new profile never moves the others.
    private readonly List<float[]> _blocks = [];
    private readonly List<string> _ids = [];
    private readonly List<int> _recordings = [];
    private readonly Dictionary<string, int> _index = new(StringComparer.Ordinal);
    private readonly ReaderWriterLockSlim _lock = new();
    private readonly Lock _saving = new();

    /// <summary>Starts an empty store in memory.</summary>
    /// <param name="modelIdentity">Identity of the model whose embeddings it will hold.</param>
    /// <param name="embeddingSize">D, 1 or more.</param>
    /// <exception cref="ShapeException">The size is below 1.</exception>
    public ProfileStore(string modelIdentity, int embeddingSize)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelIdentity);
        if (embeddingSize < 1)
        {
            throw new ShapeException($"profiles of size {embeddingSize}: 1 or more is needed.");
        }

        (ModelIdentity, EmbeddingSize) = (modelIdentity, embeddingSize);
    }

    /// <summary>Identity of the model that made the profiles.</summary>
    public string ModelIdentity { get; }

    /// <summary>D, elements of a profile.</summary>
    public int EmbeddingSize { get; }

    /// <summary>The file; null for a store in memory only.</summary>
    public string? Path { get; private init; }

    /// <summary>Number of profiles.</summary>
    public int Count
    {
        get
        {
            using var reading = Read();
            return _ids.Count;
        }
    }

    /// <summary>The names, in no particular order.</summary>
    public IReadOnlyList<string> Ids
    {
        get
        {
            using var reading = Read();
            return [.. _ids];
        }
    }

    /// <summary>Finds a profile.</summary>
    /// <param name="id">Name of the speaker.</param>
    /// <returns>The profile; null where nobody of this name is enrolled.</returns>
    public Profile? Find(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        using var reading = Read();
        return _index.TryGetValue(id, out int row) ? new Profile(id, Row(row).ToArray(), _recordings[row]) : null;
    }

    /// <summary>Adds a profile, or replaces that of the same name, in memory; see <see cref="Save"/>.</summary>
    /// <param name="profile">A profile of this store's model; its embedding is scaled to unit length.</param>
    /// <exception cref="InvalidOptionException">The name is empty, too long, or has control characters; or the profile counts less than one recording.</exception>
    /// <exception cref="ShapeException">The embedding has another size.</exception>
    /// <exception cref="NonFiniteException">The embedding is zero or not finite.</exception>
    public void Put(Profile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        RequireId(profile.Id);
        if (profile.Embedding.Length != EmbeddingSize)
        {
            throw new ShapeException($"the profile '{profile.Id}' has size {profile.Embedding.Length}, those of this store have {EmbeddingSize}: it is of another model.");
        }

        if (profile.Recordings < 1)
        {
            throw new InvalidOptionException($"the profile '{profile.Id}' was made from {profile.Recordings} recordings: 1 or more are needed.");
        }

        var sum = new double[EmbeddingSize];
        UnitVector.AddTo(sum, profile.Embedding.Span);
        using var writing = Write();
        if (!_index.TryGetValue(profile.Id, out int row))
        {
            row = _ids.Count;
            _index.Add(profile.Id, row);
            _ids.Add(profile.Id);
            _recordings.Add(0);
            _measured.Add(default);
            if (row == _blocks.Count * RowsAtOnce)
            {
                _blocks.Add(new float[RowsAtOnce * EmbeddingSize]);
            }
        }

        UnitVector.Write(sum, Row(row));
        _recordings[row] = profile.Recordings;
        if (_cohort is not null)
        {
            _unmeasured.Add(profile.Id);
        }
    }

    /// <summary>Removes a profile, in memory; see <see cref="Save"/>.</summary>
    /// <param name="id">Name of the speaker.</param>
    /// <returns>False where nobody of this name was enrolled.</returns>
    public bool Remove(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        using var writing = Write();
        if (!_index.Remove(id, out int row))
        {
            return false;
        }

        _unmeasured.Remove(id);

        // The last row takes the place of the one that goes.
        int last = _ids.Count - 1;
        if (row != last)
        {
            Row(last).CopyTo(Row(row));
            (_ids[row], _recordings[row], _measured[row]) = (_ids[last], _recordings[last], _measured[last]);
            _index[_ids[row]] = row;
        }

        _ids.RemoveAt(last);
        _recordings.RemoveAt(last);
        _measured.RemoveAt(last);
        return true;
    }

    /// <summary>The profiles nearest to an embedding by cosine, or by normalized score where the verifier of this store has a cohort.</summary>
    /// <param name="embedding">[D], of unit length.</param>
    /// <param name="top">How many, 1 or more.</param>
    /// <param name="cancellation">Looked at once per thousand profiles.</param>
    /// <returns>By falling score; fewer where there are fewer profiles.</returns>
    /// <exception cref="InvalidOptionException"><paramref name="top"/> is below 1.</exception>
    /// <exception cref="ShapeException">The embedding has another size.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public IReadOnlyList<SpeakerMatch> Nearest(ReadOnlySpan<float> embedding, int top, CancellationToken cancellation = default)
    {
        if (top < 1)
        {
            throw new InvalidOptionException($"the {top} nearest profiles were asked for: 1 or more are needed.");
        }

        if (embedding.Length != EmbeddingSize)
        {
            throw new ShapeException($"an embedding of size {embedding.Length} was given, the profiles have {EmbeddingSize}: it is of another model.");
        }

        var test = _cohort?.Measure(embedding) ?? default;
        float[] query = test.Query ?? embedding.ToArray();
        using var reading = _cohort is null ? Read() : ReadMeasured(cancellation);
        int count = _ids.Count;
        ulong[] ranks = ArrayPool<ulong>.Shared.Rent(Math.Max(1, count));
        try
        {
            if (_blocks.Count < 4)
            {
                for (int block = 0; block < _blocks.Count; block++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Rank(block);
                }
            }
            else
            {
                Parallel.For(0, _blocks.Count, new ParallelOptions { CancellationToken = cancellation }, Rank);
            }

            var all = ranks.AsSpan(0, count);
            if (top < count)
            {
                CosineRank.Select(all, top);
                all = all[..top];
            }

            all.Sort();
            var matches = new SpeakerMatch[all.Length];
            for (int i = 0; i < matches.Length; i++)
            {
                matches[i] = new SpeakerMatch(_ids[CosineRank.Index(all[i])], CosineRank.Score(all[i]));
            }

            return matches;
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(ranks);
        }

        void Rank(int block)
        {
            int end = Math.Min(count, (block + 1) * RowsAtOnce);
            for (int row = block * RowsAtOnce; row < end; row++)
            {
                float score = _cohort is null ? Cosine(Row(row), query) : _cohort.Score(Row(row), _measured[row], test);
                ranks[row] = CosineRank.Of(score, row);
            }
        }
    }

    /// <summary>Frees the locks.</summary>
    public void Dispose() => _lock.Dispose();

    internal static float Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Math.Clamp(TensorPrimitives.Dot(a, b), -1f, 1f);

    internal static void RequireId(string id)
    {
        if (string.IsNullOrWhiteSpace(id) || id.Length > LongestId || id.Any(char.IsControl) || !HasWholeCharacters(id))
        {
            throw new InvalidOptionException($"a speaker's name has 1 to {LongestId} characters and no control characters, unlike '{Shown(id)}'.");
        }
    }

    // A lone half of a surrogate pair could not be read back from UTF-8.
    private static bool HasWholeCharacters(string id)
    {
        foreach (var rune in id.EnumerateRunes())
        {
            if (rune == Rune.ReplacementChar)
            {
                return false;
            }
        }

        return true;
    }

    private static string Shown(string? id) => id is null ? "" : string.Concat(id.Take(40).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));

    private Span<float> Row(int row) => _blocks[row / RowsAtOnce].AsSpan(row % RowsAtOnce * EmbeddingSize, EmbeddingSize);

    private Reading Read()
    {
        _lock.EnterReadLock();
        return new Reading(_lock);
    }

    private Writing Write()
    {
        _lock.EnterWriteLock();
        return new Writing(_lock);
    }

    private readonly ref struct Reading(ReaderWriterLockSlim held)
    {
        public void Dispose() => held.ExitReadLock();
    }

    private readonly ref struct Writing(ReaderWriterLockSlim held)
    {
        public void Dispose() => held.ExitWriteLock();
    }
}
