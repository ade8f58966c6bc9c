using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// The groups of an epoch in the order of its batches, and the utterances drawn of each: functions of seed and epoch. A batch never holds two
/// groups of one device, as they may share their speaker and are no negatives of each other.
/// </summary>
internal sealed class GroupOrder
{
    private readonly ulong _seed;
    private readonly int _batch;
    private readonly int[][] _utterances, _groupsOfDevice, _shuffled;
    private readonly int[] _devices, _order, _deck;
    private long _epoch = -1;

    /// <summary>Prepares the order.</summary>
    /// <param name="groups">Groups of at least as many utterances as a batch takes of each.</param>
    /// <param name="batch">Groups of a batch.</param>
    /// <param name="seed">The run's seed.</param>
    /// <exception cref="InvalidOptionException">There are fewer devices than a batch holds groups.</exception>
    public GroupOrder(UtteranceGroups groups, int batch, ulong seed)
    {
        if (batch < 1 || batch > groups.DeviceCount)
        {
            throw new InvalidOptionException(
                $"training.batch = {batch}: allowed are 1 to {groups.DeviceCount}, the number of devices or speakers with enough utterances: no two rows of a batch share one.");
        }

        (_batch, _seed, _utterances) = (batch, seed, groups.Utterances);
        _groupsOfDevice = [.. Enumerable.Range(0, groups.Devices.Length).GroupBy(g => groups.Devices[g]).OrderBy(d => d.Key).Select(d => d.ToArray())];
        _shuffled = [.. _groupsOfDevice.Select(g => g.ToArray())];
        _devices = new int[_groupsOfDevice.Length];
        BatchesPerEpoch = MostBatches();
        _order = new int[BatchesPerEpoch * batch];
        _deck = new int[_utterances.Max(u => u.Length)];
    }

    /// <summary>As many batches as can be filled from distinct devices with every group used once at most.</summary>
    public int BatchesPerEpoch { get; }

    /// <summary>The groups of an epoch, batch after batch; valid until another is asked for.</summary>
    public ReadOnlySpan<int> Of(long epoch)
    {
        if (epoch != _epoch)
        {
            Deal(epoch);
            _epoch = epoch;
        }

        return _order;
    }

    /// <summary>Draws distinct utterances of a group, each as likely as the others.</summary>
    public void Draw(long epoch, int group, Span<int> utterances)
    {
        int[] all = _utterances[group];
        var deck = _deck.AsSpan(0, all.Length);
        all.CopyTo(deck);
        new CounterRandom(_seed, RandomPurpose.Dialogue, epoch, group).Shuffle(deck);
        deck[..utterances.Length].CopyTo(utterances);
    }

    // Devices in random order put their groups into batch after batch, around and around: with no more groups of a device than batches, no
    // batch gets two of them.
    private void Deal(long epoch)
    {
        var random = new CounterRandom(_seed, RandomPurpose.Shuffle, epoch, item: 2);
        for (int d = 0; d < _devices.Length; d++)
        {
            _devices[d] = d;
        }

        random.Shuffle(_devices);
        int place = 0;
        foreach (int device in _devices)
        {
            int[] groups = _shuffled[device];
            _groupsOfDevice[device].CopyTo(groups, 0);
            random.Shuffle(groups);
            for (int i = 0; i < Math.Min(groups.Length, BatchesPerEpoch) && place < _order.Length; i++, place++)
            {
                _order[(place % BatchesPerEpoch * _batch) + (place / BatchesPerEpoch)] = groups[i];
            }
        }
    }

    // K batches can be filled if the devices give K · N groups, at most K each; what is true of K is true of fewer.
    private int MostBatches()
    {
        int low = 1, high = _utterances.Length / _batch;
        while (low < high)
        {
            int middle = low + ((high - low + 1) / 2);
            bool fits = _groupsOfDevice.Sum(g => (long)Math.Min(g.Length, middle)) >= (long)middle * _batch;
            (low, high) = fits ? (middle, high) : (low, middle - 1);
        }

        return low;
    }
}
