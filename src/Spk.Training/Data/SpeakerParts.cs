using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>Disjoint parts of the speakers of a manifest, to train models that have no speaker in common.</summary>
internal static class SpeakerParts
{
    /// <summary>Chooses the utterances of one part.</summary>
    /// <param name="utterances">All utterances.</param>
    /// <param name="parts">Number of parts, 1 or more; speakers are dealt to them evenly.</param>
    /// <param name="part">The part, from 1.</param>
    /// <param name="seed">Seed of the deal: the same parts for every model of one seed.</param>
    /// <returns>Indices of its utterances, ascending.</returns>
    /// <exception cref="InvalidOptionException">An utterance has no speaker, or there are fewer speakers than parts.</exception>
    public static int[] Choose(IReadOnlyList<Utterance> utterances, int parts, int part, ulong seed)
    {
        int unlabelled = utterances.Count(u => u.Speaker is null);
        if (unlabelled > 0)
        {
            throw new InvalidOptionException($"data.speakerParts needs the speaker of every training utterance, and {unlabelled} of {utterances.Count} have none: add them to the manifest.");
        }

        string[] speakers = [.. utterances.Select(u => u.Speaker!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        if (parts > speakers.Length)
        {
            throw new InvalidOptionException($"data.speakerParts = {parts}: allowed are 1 (no parts) to {speakers.Length}, the number of training speakers.");
        }

        int[] order = [.. Enumerable.Range(0, speakers.Length)];
        new CounterRandom(seed, RandomPurpose.Split, epoch: 5).Shuffle(order);
        var mine = order.Where((_, place) => place % parts == part - 1).Select(s => speakers[s]).ToHashSet(StringComparer.Ordinal);
        return [.. Enumerable.Range(0, utterances.Count).Where(i => mine.Contains(utterances[i].Speaker!))];
    }
}
