using Spk.Engine.Numerics;

namespace Spk.Training.Data;

/// <summary>The utterances of an epoch in the order of its batches: a function of seed and epoch.</summary>
internal sealed class UtteranceOrder
{
    private readonly ulong _seed;
    private readonly int[] _members, _order;
    private readonly int[][]? _decks, _shuffled;
    private readonly int[] _speakers, _next;
    private long _epoch = -1;

    /// <summary>Prepares the order.</summary>
    /// <param name="members">Indices of the utterances to use.</param>
    /// <param name="speakers">Their speakers; null for the uniform order.</param>
    /// <param name="seed">The run's seed.</param>
    public UtteranceOrder(int[] members, MemberSpeakers? speakers, ulong seed)
    {
        (_members, _seed) = (members, seed);
        _order = new int[members.Length];
        _decks = speakers?.Utterances;
        _shuffled = _decks is null ? null : [.. _decks.Select(d => d.ToArray())];
        _speakers = new int[_decks?.Length ?? 0];
        _next = new int[_speakers.Length];
    }

    /// <summary>The order of an epoch; valid until another is asked for.</summary>
    public ReadOnlySpan<int> Of(long epoch)
    {
        if (epoch != _epoch)
        {
            if (_decks is null)
            {
                _members.CopyTo(_order, 0);
                new CounterRandom(_seed, RandomPurpose.Shuffle, epoch).Shuffle(_order);
            }
            else
            {
                Deal(epoch);
            }

            _epoch = epoch;
        }

        return _order;
    }

    private void Deal(long epoch)
    {
        var random = new CounterRandom(_seed, RandomPurpose.Shuffle, epoch, item: 1);
        for (int s = 0; s < _speakers.Length; s++)
        {
            _speakers[s] = s;
            _decks![s].CopyTo(_shuffled![s], 0);
            _next[s] = 0;
        }

        for (int i = 0; i < _order.Length; i++)
        {
            int turn = i % _speakers.Length;
            if (turn == 0)
            {
                random.Shuffle(_speakers);
            }

            int speaker = _speakers[turn];
            int[] deck = _shuffled![speaker];
            int card = _next[speaker]++ % deck.Length;
            if (card == 0)
            {
                random.Shuffle(deck);
            }

            _order[i] = deck[card];
        }
    }
}
