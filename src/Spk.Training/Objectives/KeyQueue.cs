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
    /// <param name="size">Rows; a multiple of the batch.</param>
    /// <param name="batch">Keys of a step.</param>
    /// <param name="width">Elements of a key.</param>
    /// <param name="random">First rows.</param>
    public KeyQueue(Device device, string name, int size, int batch, int width, CounterRandom random)
    {
        if (size % batch != 0)
        {
            throw new InvalidOptionException($"objective.queueSize = {size} must be a multiple of training.batch = {batch}, such as {Math.Max(1, size / batch) * batch}.");
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
    /// <param name="step">The step, from 0.</param>
    public void Store(Tensor keys, ReadOnlySpan<int> labels, long step)
    {
        int start = (int)(step * _batch % Keys.Shape[0]);
        Add.Copy(null, keys, Keys.Slice(start, _batch));
        Labels.Slice(start, _batch).CopyIntsFrom(labels);
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
