using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// Makes trials from labelled utterances: all same-speaker pairs up to a limit, and as many different-speaker pairs. Different
/// speakers are paired within one source only (the leading letters of the label), because a pair across sources is told apart by
/// its channel.
/// </summary>
internal static class TrialMaker
{
    public static TrialList Make(IReadOnlyList<Utterance> utterances, ulong seed, int maximumTargets, string source)
    {
        var trials = new List<Trial>();
        var random = new CounterRandom(seed, RandomPurpose.Split, epoch: 1);
        var groups = GroupBySource(utterances);
        long all = groups.Sum(g => g.Sum(Pairs));
        foreach (var speakers in groups)
        {
            // Every source gets its share of the limit.
            int limit = (int)Math.Min(speakers.Sum(Pairs), (long)Math.Ceiling((double)maximumTargets * speakers.Sum(Pairs) / Math.Max(1, all)));
            var targets = Targets(speakers, limit, ref random);
            trials.AddRange(targets);
            trials.AddRange(NonTargets(speakers, targets.Count, ref random));
        }

        if (trials.Count == 0)
        {
            throw new DataFormatException($"No trials can be made for {source}: at least two speakers of one source with two utterances each are needed.");
        }

        int[] order = [.. Enumerable.Range(0, trials.Count)];
        random.Shuffle(order);
        return new TrialList(order.Select(i => trials[i]), source);
    }

    /// <summary>
    /// Makes trials that a model which hears the channel fails: same-speaker pairs across sessions only, and as many different-speaker pairs, every
    /// other one within a session where sessions have several speakers.
    /// </summary>
    public static TrialList MakeAcrossSessions(IReadOnlyList<Utterance> utterances, ulong seed, int maximumTargets, string source)
    {
        var random = new CounterRandom(seed, RandomPurpose.Split, epoch: 2);
        var speakers = utterances.Where(u => u.Speaker is not null).GroupBy(u => u.Speaker!).OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => s.ToArray()).ToArray();
        var trials = Targets(speakers, maximumTargets, ref random, (a, b) => a.Session != b.Session);
        var sessions = utterances.Where(u => u.Speaker is not null && u.Session is not null).GroupBy(u => u.Session!)
            .OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => s.GroupBy(u => u.Speaker!).Select(g => g.ToArray()).ToArray()).Where(s => s.Length > 1).ToArray();
        if (trials.Count == 0 || speakers.Length < 2)
        {
            throw new DataFormatException($"No trials can be made for {source}: at least two speakers, one of them in two sessions, are needed.");
        }

        var within = new List<Trial>();
        var seen = new HashSet<(string, string)>();
        for (int attempt = 0; sessions.Length > 0 && within.Count < trials.Count / 2 && attempt < 20 * trials.Count; attempt++)
        {
            AddPair(sessions[random.NextInt(sessions.Length)], within, seen, ref random);
        }

        int targets = trials.Count;
        trials.AddRange(within);
        trials.AddRange(NonTargets(speakers, targets - within.Count, ref random, seen));
        int[] order = [.. Enumerable.Range(0, trials.Count)];
        random.Shuffle(order);
        return new TrialList(order.Select(i => trials[i]), source);
    }

    /// <summary>Source by source the utterances of each speaker; sources of a single speaker go together into one group.</summary>
    private static Utterance[][][] GroupBySource(IReadOnlyList<Utterance> utterances)
    {
        var speakers = utterances.Where(u => u.Speaker is not null).GroupBy(u => u.Speaker!)
            .OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => s.ToArray()).ToArray();
        var sizes = speakers.CountBy(s => Source(s[0].Speaker!)).ToDictionary();
        return
        [
            .. speakers.GroupBy(s => Source(s[0].Speaker!) is var source && sizes[source] > 1 ? source : "")
                .OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => g.ToArray()).Where(g => g.Length > 1),
        ];
    }

    private static long Pairs(Utterance[] utterances) => (long)utterances.Length * (utterances.Length - 1) / 2;

    private static List<Trial> Targets(Utterance[][] speakers, int limit, ref CounterRandom random, Func<Utterance, Utterance, bool>? allowed = null)
    {
        var pairs = new List<Trial>();
        foreach (var mine in speakers)
        {
            for (int a = 0; a < mine.Length; a++)
            {
                for (int b = a + 1; b < mine.Length; b++)
                {
                    if (allowed is null || allowed(mine[a], mine[b]))
                    {
                        pairs.Add(new Trial(true, mine[a].Id, mine[b].Id));
                    }
                }
            }
        }

        if (pairs.Count <= limit)
        {
            return pairs;
        }

        int[] order = [.. Enumerable.Range(0, pairs.Count)];
        random.Shuffle(order);
        return [.. order.Take(limit).Order().Select(i => pairs[i])];
    }

    private static List<Trial> NonTargets(Utterance[][] speakers, int count, ref CounterRandom random, HashSet<(string, string)>? seen = null)
    {
        seen ??= [];
        var pairs = new List<Trial>(count);

        // Few utterances allow fewer distinct pairs than wanted; the number of attempts bounds the search then.
        for (int attempt = 0; pairs.Count < count && attempt < 20 * count; attempt++)
        {
            AddPair(speakers, pairs, seen, ref random);
        }

        return pairs;
    }

    /// <summary>Draws an utterance of each of two speakers and adds the pair unless it was seen before.</summary>
    private static void AddPair(Utterance[][] speakers, List<Trial> pairs, HashSet<(string, string)> seen, ref CounterRandom random)
    {
        int s = random.NextInt(speakers.Length), t = random.NextInt(speakers.Length - 1);
        t += t >= s ? 1 : 0;
        string a = speakers[s][random.NextInt(speakers[s].Length)].Id, b = speakers[t][random.NextInt(speakers[t].Length)].Id;
        if (seen.Add(string.CompareOrdinal(a, b) < 0 ? (a, b) : (b, a)))
        {
            pairs.Add(new Trial(false, a, b));
        }
    }

    private static string Source(string speaker)
    {
        int end = 0;
        while (end < speaker.Length && char.IsLetter(speaker[end]))
        {
            end++;
        }

        return speaker[..end];
    }
}
