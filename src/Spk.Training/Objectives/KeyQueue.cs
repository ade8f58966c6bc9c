using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Checkpoints;

namespace Spk.Training.Objectives;

/// <summary>The keys of past batches, first in, first out: the negatives of MoCo. Starts with random directions.</summary>
internal sealed class KeyQueue
{
    private readonly int _batch;
    private readonly string _name;

    /// <summary>Makes a queue.</summary>
    /// <param name="device">Where it lives.</param>
    /// <param name="name">Name in checkpoints.</param>
    /// <param name="size">Rows, at least a batch.</param>
    /// <param name="batch">Keys of a step.</param>
    /// <param name="width">Elements of a key.</param>
    /// <param name="random">First rows.</param>
    public KeyQueue(Device device, string name, int size, int batch, int width, CounterRandom random)
    {
        if (size < batch)
        {
            throw new InvalidOptionException($"objective.queueSize = {size} does not hold the keys of one step: it must be training.batch = {batch} or more.");
        }

        (_name, _batch) = (name, batch);
        Keys = device.AllocatePersistent(new Shape(size, width));
        Labels = device.AllocatePersistent(new Shape(size), ElementType.Int32);
        var rows = new float[size * width];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = random.NextNormal();
        }

        Keys.CopyFrom(rows);
        int[] unknown = new int[size];
        Array.Fill(unknown, -1);
        Labels.CopyIntsFrom(unknown);
    }

    /// <summary>f32 [Q, D]; rows need not be of unit length.</summary>
    public Tensor Keys { get; }

    /// <summary>Speakers of the keys, i32 [Q], −1 where unknown; for the oracle mask.</summary>
    public Tensor Labels { get; }

    /// <summary>Puts the keys of a step in the place of the oldest.</summary>
    /// <param name="keys">f32 [B, D].</param>
    /// <param name="labels">Their speakers.</param>
    /// <param name="stored">Keys stored before, since the beginning of the run.</param>
    public void Store(Tensor keys, ReadOnlySpan<int> labels, long stored)
    {
        int size = Keys.Shape[0], start = (int)(stored % size), ahead = Math.Min(_batch, size - start), wrapped = _batch - ahead;
        Add.Copy(null, keys.Slice(0, ahead), Keys.Slice(start, ahead));
        Labels.Slice(start, ahead).CopyIntsFrom(labels[..ahead]);
        if (wrapped > 0)
        {
            Add.Copy(null, keys.Slice(ahead, wrapped), Keys.Slice(0, wrapped));
            Labels.Slice(0, wrapped).CopyIntsFrom(labels[ahead..]);
        }
    }

    public void VisitState(StateVisitor visitor)
    {
        visitor.Visit($"{_name}.keys", Keys);
        int[] labels = new int[Labels.Count];
        Labels.CopyIntsTo(labels);
        visitor.Visit($"{_name}.labels", labels);
        Labels.CopyIntsFrom(labels);
    }
}
