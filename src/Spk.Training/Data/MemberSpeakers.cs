using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>The utterances in use, speaker by speaker: for orders and pairs that need labels.</summary>
internal sealed class MemberSpeakers
{
    private readonly int[] _speakerOf, _placeOf;

    /// <summary>Groups utterances.</summary>
    /// <param name="corpus">The recordings.</param>
    /// <param name="members">Indices of the utterances to use.</param>
    /// <param name="field">The recipe field that needs the labels, for the message.</param>
    /// <exception cref="InvalidOptionException">An utterance has no speaker.</exception>
    public MemberSpeakers(Corpus corpus, int[] members, string field)
    {
        int unlabelled = members.Count(m => corpus.SpeakerOf(m) < 0);
        if (unlabelled > 0)
        {
            throw new InvalidOptionException($"{field} needs the speaker of every training utterance, and {unlabelled} of {members.Length} have none: add them to the manifest.");
        }

        Utterances = [.. members.GroupBy(corpus.SpeakerOf).OrderBy(s => s.Key).Select(s => s.ToArray())];
        _speakerOf = new int[corpus.Count];
        _placeOf = new int[corpus.Count];
        for (int s = 0; s < Utterances.Length; s++)
        {
            for (int place = 0; place < Utterances[s].Length; place++)
            {
                _speakerOf[Utterances[s][place]] = s;
                _placeOf[Utterances[s][place]] = place;
            }
        }
    }

    /// <summary>Indices of the utterances of each speaker.</summary>
    public int[][] Utterances { get; }

    /// <summary>Another utterance of the same speaker, each as likely as the others: a function of seed, epoch and utterance.</summary>
    public int Partner(ulong seed, long epoch, int utterance)
    {
        int[] mine = Utterances[_speakerOf[utterance]];
        if (mine.Length == 1)
        {
            return utterance;
        }

        int other = new CounterRandom(seed, RandomPurpose.PositiveSampling, epoch, utterance).NextInt(mine.Length - 1);
        return mine[other + (other >= _placeOf[utterance] ? 1 : 0)];
    }
}
