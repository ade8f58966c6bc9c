using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// Training speakers held back to choose models by: their utterances leave the training set and become a trial list, so that the
/// real trials are looked at once, at the end.
/// </summary>
/// <param name="Training">Indices of the utterances to train on, ascending.</param>
/// <param name="Development">Indices of the utterances held back, ascending.</param>
/// <param name="Speakers">The speakers held back, in ordinal order.</param>
/// <param name="Trials">Trials over the utterances held back.</param>
public sealed record DevelopmentSplit(
    IReadOnlyList<int> Training, IReadOnlyList<int> Development, IReadOnlyList<string> Speakers, TrialList Trials)
{
    /// <summary>Holds back random speakers; the same seed gives the same split.</summary>
    /// <param name="utterances">All training utterances.</param>
    /// <param name="speakers">How many speakers to hold back, 2 or more; each has at least two utterances.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="maximumTargets">Most same-speaker trials; as many different-speaker trials are drawn.</param>
    /// <exception cref="InvalidOptionException">There are not that many speakers with two utterances, or too few would be left to train on.</exception>
    public static DevelopmentSplit Create(IReadOnlyList<Utterance> utterances, int speakers, ulong seed, int maximumTargets = 2000)
    {
        ArgumentNullException.ThrowIfNull(utterances);
        string[] eligible =
        [
            .. utterances.Where(u => u.Speaker is not null).GroupBy(u => u.Speaker!).Where(g => g.Count() >= 2)
                .Select(g => g.Key).Order(StringComparer.Ordinal),
        ];
        if (speakers < 2 || speakers > eligible.Length - 1)
        {
            throw new InvalidOptionException(
                $"data.devSpeakers = {speakers}: allowed are 0 (none) and 2 to {Math.Max(2, eligible.Length - 1)}, as {eligible.Length} labelled speakers have two utterances or more.");
        }

        var order = new int[eligible.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        var random = new CounterRandom(seed, RandomPurpose.Split);
        random.Shuffle(order);
        var held = order.Take(speakers).Select(i => eligible[i]).ToHashSet(StringComparer.Ordinal);
        var training = new List<int>();
        var development = new List<int>();
        for (int i = 0; i < utterances.Count; i++)
        {
            (utterances[i].Speaker is { } speaker && held.Contains(speaker) ? development : training).Add(i);
        }

        var trials = TrialMaker.Make([.. development.Select(i => utterances[i])], seed, maximumTargets, "the development trials");
        return new DevelopmentSplit(training, development, [.. held.Order(StringComparer.Ordinal)], trials);
    }
}
