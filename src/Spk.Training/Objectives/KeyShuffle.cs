using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Training.Objectives;

/// <summary>
/// Batch norm of the keys over random groups of the batch: a key then cannot be told from the others by the statistics it shares with
/// its query (the shuffled batch norm of MoCo, on one device).
/// </summary>
internal sealed class KeyShuffle
{
    private readonly ObjectiveContext _context;
    private readonly int[] _order, _place;
    private readonly int _group;
    private Tensor? _orderTensor, _placeTensor;

    /// <summary>Prepares the groups.</summary>
    /// <param name="context">What the objective is built for.</param>
    /// <param name="rows">Keys of a step.</param>
    /// <param name="group">Keys of a group.</param>
    public KeyShuffle(ObjectiveContext context, int rows, int group)
    {
        if (group < 2 || rows % group != 0)
        {
            throw new InvalidOptionException($"objective.keyGroup = {group} must be 0, or 2 or more and divide the {rows} keys of a step.");
        }

        (_context, _group) = (context, group);
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
    /// <param name="features">Of all rows.</param>
    public Tensor Forward(Func<Tensor, Tensor> keysOf, Tensor features)
    {
        var shuffled = SelectRows.Forward(null, features, _orderTensor!);
        var first = keysOf(shuffled.Slice(0, _group));
        var keys = _context.Device.Workspace.Rent(new Shape(_order.Length, first.Shape.Last));
        Add.Copy(null, first, keys.Slice(0, _group));
        for (int start = _group; start < _order.Length; start += _group)
        {
            Add.Copy(null, keysOf(shuffled.Slice(start, _group)), keys.Slice(start, _group));
        }

        return SelectRows.Forward(null, keys, _placeTensor!);
    }
}
