using Spk.Engine.Collectives;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Training.Objectives;

/// <summary>
/// Batch norm of the keys over random groups of the batch: a key then cannot be told from the others by the statistics it shares with
/// its query (the shuffled batch norm of MoCo). Processes that train together share the groups.
/// </summary>
internal sealed class KeyShuffle
{
    private readonly ObjectiveContext _context;
    private readonly int[] _order, _place;
    private readonly int _group, _directions;
    private Tensor? _orderTensor, _placeTensor;

    /// <summary>Prepares the groups.</summary>
    /// <param name="context">What the objective is built for.</param>
    /// <param name="directions">Keys of a step, in batches.</param>
    /// <param name="group">Keys of a group.</param>
    public KeyShuffle(ObjectiveContext context, int directions, int group)
    {
        int rows = directions * context.Batch, ranks = context.Device.Collective.Ranks;
        if (group < 2 || rows % group != 0)
        {
            throw new InvalidOptionException($"objective.keyGroup = {group} must be 0, or 2 or more and divide the {rows} keys of a step.");
        }

        if (rows / group % ranks != 0)
        {
            throw new InvalidOptionException($"objective.keyGroup = {group} makes {rows / group} groups, which {ranks} processes cannot share evenly: use another size, or 0.");
        }

        (_context, _group, _directions) = (context, group, directions);
        _order = new int[rows];
        _place = new int[rows];
    }

    /// <summary>Draws the order of a step and sends it to the device.</summary>
    public void Prepare(in StepPlace place)
    {
        for (int i = 0; i < _order.Length; i++)
        {
            _order[i] = i;
        }

        new CounterRandom(_context.Seed, RandomPurpose.KeyOrder, place.Epoch, (int)(place.Step % _context.BatchesPerEpoch)).Shuffle(_order);
        for (int i = 0; i < _order.Length; i++)
        {
            _place[_order[i]] = i;
        }

        var workspace = _context.Device.Workspace;
        _orderTensor = workspace.Rent(new Shape(_order.Length), ElementType.Int32);
        _placeTensor = workspace.Rent(new Shape(_order.Length), ElementType.Int32);
        _orderTensor.CopyIntsFrom(_order);
        _placeTensor.CopyIntsFrom(_place);
    }

    /// <summary>Makes keys in the drawn order, group by group, and puts them back in theirs.</summary>
    /// <param name="keysOf">Makes the keys of a group of features.</param>
    /// <param name="features">Of this process's rows.</param>
    /// <returns>The keys of the whole batch.</returns>
    public Tensor Forward(Func<Tensor, Tensor> keysOf, Tensor features)
    {
        var device = _context.Device;
        var processes = device.Collective;
        var shuffled = SelectRows.Forward(null, Gather(features), _orderTensor!);
        int count = _order.Length / _group / processes.Ranks, start = processes.Rank * count * _group;
        Tensor? keys = null;
        try
        {
            // The statistics of a group are its own, and known to no other process.
            device.Collective = Collective.Alone;
            for (int i = 0; i < count; i++)
            {
                var one = keysOf(shuffled.Slice(start + (i * _group), _group));
                keys ??= device.Workspace.Rent(new Shape(count * _group, one.Shape.Last));
                Add.Copy(null, one, keys.Slice(i * _group, _group));
            }
        }
        finally
        {
            device.Collective = processes;
        }

        return SelectRows.Forward(null, GatherViews.Forward(null, keys!, views: 1), _placeTensor!);
    }

    // A row of a key may be needed by any process.
    private Tensor Gather(Tensor features)
    {
        int rows = features.Shape[0], width = features.Count / rows;
        var workspace = _context.Device.Workspace;
        var all = GatherViews.Forward(null, workspace.Reshape(features, new Shape(rows, width)), _directions);
        return workspace.Reshape(all, new Shape(_order.Length, features.Shape[1], features.Shape[2]));
    }
}
