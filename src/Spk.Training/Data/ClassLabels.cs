using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>The class of every utterance that a classifier is trained on: a speaker of the manifest, or a pseudo-label.</summary>
public sealed class ClassLabels
{
    private readonly int[] _classes;

    private ClassLabels(int[] classes, int count, string? warning = null) => (_classes, Count, Warning) = (classes, count, warning);

    /// <summary>K, classes.</summary>
    public int Count { get; }

    /// <summary>How many utterances are left out and why, as a sentence; null where none is.</summary>
    public string? Warning { get; }

    /// <summary>Class of each utterance of the corpus, 0 to K − 1; −1 for those that are not trained on.</summary>
    public ReadOnlySpan<int> All => _classes;

    /// <summary>Class of an utterance, 0 to K − 1, or −1.</summary>
    /// <param name="utterance">Its index in the corpus.</param>
    public int Of(int utterance) => _classes[utterance];

    /// <summary>A class for every speaker with an utterance to train on, in the order of the manifest; those held back or left out have none.</summary>
    /// <param name="corpus">The recordings.</param>
    /// <param name="utterances">Indices of the utterances to train on; none for all of the corpus.</param>
    public static ClassLabels OfSpeakers(Corpus corpus, params IReadOnlyList<int> utterances)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(utterances);
        int[] classOf = new int[corpus.Speakers.Count];
        var members = utterances.Count > 0 ? utterances : [.. Enumerable.Range(0, corpus.Count)];
        int count = 0;
        Array.Fill(classOf, -1);
        foreach (int speaker in members.Select(corpus.SpeakerOf).Where(s => s >= 0).Distinct().Order())
        {
            classOf[speaker] = count++;
        }

        return new ClassLabels([.. Enumerable.Range(0, corpus.Count).Select(i => corpus.SpeakerOf(i) is >= 0 and int speaker ? classOf[speaker] : -1)], count);
    }

    /// <summary>The labels that a recipe asks for.</summary>
    /// <param name="spec">Where they are.</param>
    /// <param name="root">Folder that a relative path starts from.</param>
    /// <param name="corpus">The recordings.</param>
    /// <param name="members">Indices of the utterances that might be trained on.</param>
    /// <param name="seed">The run's seed, for noise.</param>
    /// <exception cref="DataFormatException">The file cannot be used, or names utterances that the corpus lacks.</exception>
    /// <exception cref="InvalidOptionException">Nothing or one class only is left.</exception>
    public static ClassLabels Make(LabelSpec spec, string root, Corpus corpus, IReadOnlyList<int> members, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(members);
        var labels = spec.File is null ? OfSpeakers(corpus, members) : Read(spec, Path.Combine(root, spec.File), corpus, members);
        return spec.Noise > 0 ? labels.WithNoise(spec.Noise, members, seed) : labels;
    }

    /// <summary>As many classes, none of which any utterance is known to have: to find out what a classifier needs of memory.</summary>
    internal static ClassLabels Unknown(int count) => new([0], count);

    private static ClassLabels Read(LabelSpec spec, string path, Corpus corpus, IReadOnlyList<int> members)
    {
        var file = LabelFile.Read(path);
        string[] absent = [.. file.Rows.Select(r => r.Id).Where(id => corpus.IndexOf(id) < 0)];
        if (absent.Length > 0)
        {
            throw new DataFormatException($"{path} labels '{absent[0]}', which the training manifest does not list ({absent.Length} such utterances): the two belong to different corpora.");
        }

        var isMember = members.ToHashSet();
        var rows = file.Rows.Where(r => isMember.Contains(corpus.IndexOf(r.Id))).ToArray();
        var clusters = rows.GroupBy(r => r.Cluster).OrderBy(g => g.Key).Select(g => g.ToArray()).ToArray();
        var large = clusters.Where(c => c.Length >= spec.SmallestCluster).ToArray();
        var kept = large.Select(c => Nearest(c, spec, path)).ToArray();
        if (kept.Length < 2)
        {
            throw new InvalidOptionException(
                $"data.labels.file = {path}: {kept.Length} of its {clusters.Length} clusters of training utterances {(kept.Length == 1 ? "is" : "are")} left, and a classifier needs 2 or more; "
                + $"cluster into more, or lower data.labels.smallestCluster = {spec.SmallestCluster}.");
        }

        int[] classes = new int[corpus.Count];
        Array.Fill(classes, -1);
        for (int k = 0; k < kept.Length; k++)
        {
            foreach (var row in kept[k])
            {
                classes[corpus.IndexOf(row.Id)] = k;
            }
        }

        int without = members.Count - rows.Length, small = rows.Length - large.Sum(c => c.Length), far = large.Sum(c => c.Length) - kept.Sum(c => c.Length);
        return new ClassLabels(classes, kept.Length, without + small + far == 0
            ? null
            : $"{without + small + far} of {members.Count} utterances are left out: {without} without a label, {small} in clusters below data.labels.smallestCluster, {far} by data.labels.nearestShare.");
    }

    private static LabelRow[] Nearest(LabelRow[] cluster, LabelSpec spec, string path)
    {
        if (spec.NearestShare >= 1)
        {
            return cluster;
        }

        return cluster.Any(r => float.IsNaN(r.Similarity))
            ? throw new InvalidOptionException($"data.labels.nearestShare = {spec.NearestShare}: {path} has no column 'similarity' to choose by; set it to 1.")
            : [.. cluster.OrderByDescending(r => r.Similarity).ThenBy(r => r.Id, StringComparer.Ordinal).Take(Math.Max(1, (int)Math.Round(spec.NearestShare * cluster.Length)))];
    }

    // As many utterances as the share says, no more and no fewer; another class among those that are trained on, all alike likely.
    private ClassLabels WithNoise(float share, IReadOnlyList<int> members, ulong seed)
    {
        int[] labelled = [.. members.Where(m => _classes[m] >= 0)];
        int[] present = [.. labelled.Select(m => _classes[m]).Distinct().Order()];
        int[] classes = [.. _classes];
        if (present.Length < 2)
        {
            return this;
        }

        new CounterRandom(seed, RandomPurpose.LabelNoise).Shuffle(labelled);
        foreach (int utterance in labelled.Take((int)Math.Round((double)share * labelled.Length)))
        {
            int other = new CounterRandom(seed, RandomPurpose.LabelNoise, epoch: 1, item: utterance).NextInt(present.Length - 1);
            classes[utterance] = present[other] < _classes[utterance] ? present[other] : present[other + 1];
        }

        return new ClassLabels(classes, Count, Warning);
    }
}
