using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// A random part of the training utterances, to see what less data costs. With one seed, what a smaller limit keeps, a larger one keeps too.
/// </summary>
internal static class TrainingSubset
{
    /// <summary>Chooses utterances.</summary>
    /// <param name="corpus">The recordings.</param>
    /// <param name="candidates">Indices to choose from.</param>
    /// <param name="speakers">Most speakers; 0 for all.</param>
    /// <param name="utterances">Most utterances of each speaker; 0 for all.</param>
    /// <param name="seed">The run's seed.</param>
    /// <returns>Indices, ascending.</returns>
    /// <exception cref="InvalidOptionException">There are fewer speakers, or utterances without one.</exception>
    public static int[] Choose(Corpus corpus, int[] candidates, int speakers, int utterances, ulong seed)
    {
        if (speakers == 0 && utterances == 0)
        {
            return candidates;
        }

        int[][] all = new MemberSpeakers(corpus, candidates, speakers > 0 ? "data.limitSpeakers" : "data.limitUtterances").Utterances;
        if (speakers > all.Length)
        {
            throw new InvalidOptionException($"data.limitSpeakers = {speakers}: allowed are 0 (all) to {all.Length}, the number of training speakers.");
        }

        int[] order = [.. Enumerable.Range(0, all.Length)];
        new CounterRandom(seed, RandomPurpose.Split, epoch: 3).Shuffle(order);
        var kept = new List<int>();
        foreach (int speaker in order.Take(speakers > 0 ? speakers : all.Length))
        {
            int[] mine = all[speaker];
            new CounterRandom(seed, RandomPurpose.Split, epoch: 4, item: mine[0]).Shuffle(mine);
            kept.AddRange(utterances > 0 ? mine.Take(utterances) : mine);
        }

        return [.. kept.Order()];
    }
}
