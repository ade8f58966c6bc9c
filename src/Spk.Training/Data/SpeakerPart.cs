using System.Globalization;
using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>One or several of the disjoint parts that the speakers of a manifest are dealt to, so that models can be trained that have no speaker in common.</summary>
/// <param name="First">The first part, from 1.</param>
/// <param name="Last">The last part.</param>
/// <param name="Parts">Number of parts; speakers are dealt to them evenly.</param>
internal sealed record SpeakerPart(int First, int Last, int Parts)
{
    private const int MostParts = 1000;

    /// <summary>Reads "2/6" or "3-6/6"; null stays null.</summary>
    /// <exception cref="InvalidOptionException">The text is no such thing.</exception>
    public static SpeakerPart? Parse(string? text)
    {
        if (text is null)
        {
            return null;
        }

        string[] halves = text.Split('/');
        string[] ends = halves[0].Split('-');
        return halves.Length == 2 && ends.Length <= 2 && Number(ends[0]) is { } first && Number(ends[^1]) is { } last && Number(halves[1]) is { } parts
                && first >= 1 && first <= last && last <= parts && parts <= MostParts
            ? new SpeakerPart(first, last, parts)
            : throw new InvalidOptionException($"data.speakerPart = {text}: allowed are parts from 1 of at most {MostParts}, such as 1/6 or 3-6/6.");

        static int? Number(string word) => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
    }

    /// <summary>Chooses the utterances of these parts.</summary>
    /// <param name="utterances">All utterances.</param>
    /// <param name="seed">Seed of the deal: the same parts for every model of one seed.</param>
    /// <returns>Indices of the utterances, ascending.</returns>
    /// <exception cref="InvalidOptionException">An utterance has no speaker, or there are fewer speakers than parts.</exception>
    public int[] Choose(IReadOnlyList<Utterance> utterances, ulong seed)
    {
        int unlabelled = utterances.Count(u => u.Speaker is null);
        if (unlabelled > 0)
        {
            throw new InvalidOptionException($"data.speakerPart needs the speaker of every training utterance, and {unlabelled} of {utterances.Count} have none: add them to the manifest.");
        }

        string[] speakers = [.. utterances.Select(u => u.Speaker!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        if (Parts > speakers.Length)
        {
            throw new InvalidOptionException($"data.speakerPart = {First}-{Last}/{Parts}: there are {speakers.Length} training speakers, fewer than parts.");
        }

        int[] order = [.. Enumerable.Range(0, speakers.Length)];
        new CounterRandom(seed, RandomPurpose.Split, epoch: 5).Shuffle(order);
        var mine = order.Where((_, place) => place % Parts >= First - 1 && place % Parts < Last).Select(s => speakers[s]).ToHashSet(StringComparer.Ordinal);
        return [.. Enumerable.Range(0, utterances.Count).Where(i => mine.Contains(utterances[i].Speaker!))];
    }
}
