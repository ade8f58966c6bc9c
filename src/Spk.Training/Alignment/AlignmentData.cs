using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Interop;

namespace Spk.Training.Alignment;

/// <summary>Labelled utterances, each embedded by both models: (x, y, speaker).</summary>
public sealed class AlignmentData
{
    private readonly float[] _enrolment, _runtime;

    private AlignmentData(string[] ids, float[] enrolment, int enrolmentSize, float[] runtime, int runtimeSize, string[] speakers, int[][] utterances)
    {
        (Ids, _enrolment, EnrolmentSize, _runtime, RuntimeSize) = (ids, enrolment, enrolmentSize, runtime, runtimeSize);
        (Speakers, Utterances) = (speakers, utterances);
    }

    /// <summary>Utterance ids.</summary>
    public IReadOnlyList<string> Ids { get; }

    /// <summary>Number of utterances.</summary>
    public int Count => Ids.Count;

    /// <summary>Size of the enrolment model's embeddings.</summary>
    public int EnrolmentSize { get; }

    /// <summary>Size of the runtime model's embeddings.</summary>
    public int RuntimeSize { get; }

    /// <summary>Speakers, in ordinal order.</summary>
    public IReadOnlyList<string> Speakers { get; }

    /// <summary>Rows of the utterances of each speaker.</summary>
    internal int[][] Utterances { get; }

    /// <summary>x of all utterances, [N, D], unit rows.</summary>
    internal ReadOnlySpan<float> EnrolmentRows => _enrolment;

    /// <summary>y of all utterances, [N, D], unit rows.</summary>
    internal ReadOnlySpan<float> RuntimeRows => _runtime;

    /// <summary>Joins what two models made of the same utterances.</summary>
    /// <param name="enrolment">Embeddings of the enrolment model.</param>
    /// <param name="runtime">Embeddings of the runtime model.</param>
    /// <param name="speakerOf">Speaker of an utterance; null where unknown.</param>
    /// <returns>The utterances that both tables hold, in the order of the first.</returns>
    /// <exception cref="DataFormatException">They have no utterance in common, one of them has no speaker, there are fewer than two speakers, or an embedding is zero.</exception>
    public static AlignmentData Join(EmbeddingTable enrolment, EmbeddingTable runtime, Func<string, string?> speakerOf)
    {
        ArgumentNullException.ThrowIfNull(enrolment);
        ArgumentNullException.ThrowIfNull(runtime);
        ArgumentNullException.ThrowIfNull(speakerOf);
        string[] ids = [.. enrolment.Ids.Where(id => runtime.TryIndexOf(id, out _))];
        if (ids.Length == 0)
        {
            throw new DataFormatException(
                $"the two models have embedded no utterance in common ({enrolment.Count} and {runtime.Count} utterances, such as '{First(enrolment)}' and '{First(runtime)}'): embed one list with both.");
        }

        string[] unlabelled = [.. ids.Where(id => string.IsNullOrEmpty(speakerOf(id)))];
        if (unlabelled.Length > 0)
        {
            throw new DataFormatException($"{unlabelled.Length} of {ids.Length} utterances have no speaker, '{unlabelled[0]}' being the first: alignment is learnt from labelled utterances.");
        }

        EmbeddingTable x = enrolment.Select(ids), y = runtime.Select(ids);
        for (int i = 0; i < ids.Length; i++)
        {
            if (x.Lengths[i] == 0 || y.Lengths[i] == 0)
            {
                throw new DataFormatException($"the embedding of utterance '{ids[i]}' is a zero vector: leave this recording out.");
            }
        }

        var groups = Enumerable.Range(0, ids.Length).GroupBy(i => speakerOf(ids[i])!).OrderBy(g => g.Key, StringComparer.Ordinal).ToArray();
        return groups.Length >= 2
            ? new AlignmentData(
                ids, x.Values.ToArray(), x.Dimension, y.Values.ToArray(), y.Dimension, [.. groups.Select(g => g.Key)], [.. groups.Select(g => g.ToArray())])
            : throw new DataFormatException($"all {ids.Length} utterances are of the speaker '{groups[0].Key}': alignment needs two speakers or more.");
    }

    /// <summary>Parts the speakers: those to learn from, and those held back.</summary>
    /// <param name="share">Share of the speakers to hold back, 0 to below 1.</param>
    /// <param name="seed">Seed of the choice.</param>
    /// <returns>Both parts; the second is null where none is held back.</returns>
    /// <exception cref="InvalidOptionException">A part would have fewer than two speakers.</exception>
    internal (AlignmentData Training, AlignmentData? HeldBack) Split(double share, ulong seed)
    {
        if (share == 0)
        {
            return (this, null);
        }

        int held = Math.Max(2, (int)Math.Round(share * Speakers.Count));
        if (Speakers.Count - held < 2)
        {
            throw new InvalidOptionException($"alignment: held back = {share} of {Speakers.Count} speakers: two or more have to be held back, and two or more left; use 0 to hold none back.");
        }

        int[] order = [.. Enumerable.Range(0, Speakers.Count)];
        new CounterRandom(seed, RandomPurpose.Split, epoch: 6).Shuffle(order);
        return (Of(order.AsSpan(held)), Of(order.AsSpan(0, held)));
    }

    private static string First(EmbeddingTable table) => table.Count > 0 ? table.Ids[0] : "";

    private AlignmentData Of(ReadOnlySpan<int> chosen)
    {
        int[] speakers = chosen.ToArray();
        Array.Sort(speakers);
        int[] rows = [.. speakers.SelectMany(s => Utterances[s])];
        int next = 0;
        int[][] utterances = [.. speakers.Select(s => Utterances[s].Select(_ => next++).ToArray())];
        return new AlignmentData(
            [.. rows.Select(r => Ids[r])], Rows(_enrolment, EnrolmentSize), EnrolmentSize, Rows(_runtime, RuntimeSize), RuntimeSize, [.. speakers.Select(s => Speakers[s])], utterances);

        float[] Rows(float[] all, int size) => [.. rows.SelectMany(r => all.AsSpan(r * size, size).ToArray())];
    }
}
