using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Collectives;

/// <summary>
/// The processes that train one model together, each on a device of its own and with a share of every batch. All of them must make the same calls in
/// the same order; a call returns when all have made it.
/// </summary>
/// <remarks>
/// How gradients stay right: embeddings are gathered (<see cref="GatherViews"/>) and every process computes the whole loss, so that what comes after
/// has its full gradient everywhere, while the encoder's is a sum over processes. Gathering multiplies what goes back by the number of processes, and
/// the average over processes is then right for both.
/// </remarks>
public abstract class Collective : IDisposable
{
    // One array for each purpose: contents of one call must not move while another is prepared.
    private float[] _own = [], _all = [];

    /// <summary>A process that works alone.</summary>
    public static Collective Alone { get; } = new Single();

    /// <summary>This process's number, from 0.</summary>
    public abstract int Rank { get; }

    /// <summary>Number of processes.</summary>
    public abstract int Ranks { get; }

    /// <summary>Whether this process writes files and shows progress.</summary>
    public bool IsLead => Rank == 0;

    /// <summary>Gives every process a value of rank 0.</summary>
    /// <param name="value">What rank 0 says; ignored elsewhere.</param>
    /// <returns>What rank 0 said.</returns>
    public abstract long Broadcast(long value);

    /// <summary>Ends all processes at once, because this one cannot go on.</summary>
    /// <param name="exitCode">Their exit code.</param>
    public abstract void Abort(int exitCode);

    /// <summary>Puts the average over all processes in the place of each process's values.</summary>
    /// <param name="tensor">A contiguous f32 tensor, of one shape on all processes.</param>
    public void Average(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (Ranks == 1)
        {
            return;
        }

        if (tensor.Device is CpuDevice && tensor.IsContiguous)
        {
            Average(tensor.AsSpan());
            return;
        }

        var values = Room(ref _own, tensor.Count);
        tensor.CopyTo(values);
        Average(values);
        tensor.CopyFrom(values);
    }

    /// <summary>Gives every process the values of all.</summary>
    /// <param name="tensor">An f32 tensor, of one shape on all processes.</param>
    /// <returns>Those of rank 0, then those of rank 1, and so on; valid until the next call.</returns>
    public Span<float> Gather(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        var own = Room(ref _own, tensor.Count);
        var all = Room(ref _all, tensor.Count * Ranks);
        tensor.CopyTo(own);
        Gather(own, all);
        return all;
    }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Averages host values over all processes, in place.</summary>
    private protected abstract void Average(Span<float> values);

    /// <summary>Gathers host values of all processes.</summary>
    private protected abstract void Gather(ReadOnlySpan<float> own, Span<float> all);

    private static Span<float> Room(ref float[] array, int count)
    {
        if (array.Length < count)
        {
            array = GC.AllocateArray<float>(count, pinned: true);
        }

        return array.AsSpan(0, count);
    }

    private sealed class Single : Collective
    {
        public override int Rank => 0;

        public override int Ranks => 1;

        public override long Broadcast(long value) => value;

        public override void Abort(int exitCode) { }

        private protected override void Average(Span<float> values) { }

        private protected override void Gather(ReadOnlySpan<float> own, Span<float> all) => own.CopyTo(all);
    }
}
