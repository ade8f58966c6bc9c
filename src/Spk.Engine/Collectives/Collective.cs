using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Collectives;

/// <summary>
/// The processes that train one model together, each on a device of its own and with a share of every batch. All of them must make the same calls in
/// the same order; a call returns when all have made it.
/// </summary>
/// <remarks>
/// How gradients stay right: embeddings are gathered (<see cref="GatherViews"/>) and every process computes the whole loss, so that what comes after
/// has its full gradient everywhere, while what comes before sums over processes. Gathering multiplies what goes back by the number of processes, and
/// the average over processes is then right for both.
/// </remarks>
public abstract class Collective : IDisposable
{
    private protected Collective()
    {
    }

    /// <summary>A process that works alone.</summary>
    public static Collective Alone { get; } = new Single();

    /// <summary>This process's number, from 0.</summary>
    public abstract int Rank { get; }

    /// <summary>Number of processes.</summary>
    public abstract int Ranks { get; }

    /// <summary>Whether this process writes files and shows progress.</summary>
    public bool IsLead => Rank == 0;

    /// <summary>The least of the values that the processes bring.</summary>
    /// <param name="value">What this process brings.</param>
    /// <returns>The same on all processes.</returns>
    public abstract long Least(long value);

    /// <summary>Ends all processes at once, because this one cannot go on.</summary>
    /// <param name="exitCode">Their exit code.</param>
    public abstract void Abort(int exitCode);

    /// <summary>Ends what waits, on this process's behalf, for processes that are gone; nothing can be exchanged afterwards. Any thread may call it.</summary>
    public void Abandon() => Abandoned?.Invoke();

    /// <summary>Puts the average over all processes in the place of each process's values.</summary>
    /// <param name="tensor">A contiguous f32 tensor, of one shape on all processes.</param>
    /// <exception cref="ShapeException">The tensor is not contiguous.</exception>
    public void Average(Tensor tensor)
    {
        RequireContiguous(tensor);
        if (Ranks > 1)
        {
            AverageOver(tensor);
        }
    }

    /// <summary>Gives every process the values of all.</summary>
    /// <param name="own">A contiguous f32 tensor, of one shape on all processes.</param>
    /// <param name="all">Receives those of rank 0, then those of rank 1, and so on: contiguous f32, with room for exactly these.</param>
    /// <exception cref="ShapeException">A tensor is not contiguous, or <paramref name="all"/> has another size.</exception>
    public void Gather(Tensor own, Tensor all)
    {
        RequireContiguous(own);
        RequireContiguous(all);
        if (all.Count != own.Count * Ranks)
        {
            throw new ShapeException($"{Ranks} processes gather {own.Count} values each, and a tensor of shape {all.Shape} does not hold exactly these.");
        }

        GatherFrom(own, all);
    }

    /// <summary>Gives every process the values that all have in host memory.</summary>
    /// <typeparam name="T">A plain type, such as double.</typeparam>
    /// <param name="own">As many on all processes.</param>
    /// <param name="all">Receives those of rank 0, then those of rank 1, and so on: room for exactly these.</param>
    /// <exception cref="ShapeException"><paramref name="all"/> has another size.</exception>
    public void Exchange<T>(ReadOnlySpan<T> own, Span<T> all) where T : unmanaged
    {
        if (all.Length != (long)own.Length * Ranks)
        {
            throw new ShapeException($"{Ranks} processes exchange {own.Length} values each, and {all.Length} are not exactly these.");
        }

        ExchangeBytes(MemoryMarshal.AsBytes(own), MemoryMarshal.AsBytes(all));
    }

    /// <summary>Makes sure that all processes do the same work.</summary>
    /// <param name="fingerprint">A number made from all that must be the same.</param>
    /// <returns>Whether all processes bring the same; every process learns it.</returns>
    public bool Agrees(long fingerprint)
    {
        // Half the range, so that its negative exists.
        fingerprint &= long.MaxValue;
        return Least(fingerprint) == -Least(-fingerprint);
    }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Told of <see cref="Abandon"/>.</summary>
    internal event Action? Abandoned;

    /// <summary>Whether the processes exchange tensors that lie on a device.</summary>
    internal abstract bool Serves(Device device);

    /// <summary>Says that this process now waits for something that other processes may hold up, and that it no longer does.</summary>
    internal virtual void BeginWait()
    {
    }

    /// <inheritdoc cref="BeginWait"/>
    internal virtual void EndWait()
    {
    }

    /// <summary>Averages a tensor of several processes' devices, in place.</summary>
    private protected abstract void AverageOver(Tensor tensor);

    /// <summary>Gathers tensors that fit.</summary>
    private protected abstract void GatherFrom(Tensor own, Tensor all);

    /// <summary>Exchanges bytes that fit.</summary>
    private protected abstract void ExchangeBytes(ReadOnlySpan<byte> own, Span<byte> all);

    private static void RequireContiguous(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.IsContiguous || tensor.ElementType != ElementType.Float32)
        {
            throw new ShapeException($"Processes exchange contiguous f32 tensors, not {tensor.ElementType} of shape {tensor.Shape} with rows {tensor.RowStride} apart.");
        }
    }

    private sealed class Single : Collective
    {
        public override int Rank => 0;

        public override int Ranks => 1;

        public override long Least(long value) => value;

        public override void Abort(int exitCode)
        {
        }

        internal override bool Serves(Device device) => true;

        private protected override void AverageOver(Tensor tensor)
        {
        }

        private protected override void GatherFrom(Tensor own, Tensor all) => all.CopyFrom(own.AsSpan());

        private protected override void ExchangeBytes(ReadOnlySpan<byte> own, Span<byte> all) => own.CopyTo(all);
    }
}
