using System.Diagnostics;
using System.Numerics.Tensors;
using Spk.Interop;
using Spk.Interop.Mpi;

namespace Spk.Engine.Collectives;

/// <summary>Processes that <c>mpirun</c> started, on one machine or several, connected by Open MPI.</summary>
public sealed class MpiCollective : Collective
{
    private readonly MpiLibrary _mpi = MpiLibrary.Load();
    private long _waitingSince;

    /// <summary>The processes this one was started among, or <see cref="Collective.Alone"/> where it was started by itself.</summary>
    /// <exception cref="DeviceUnavailableException">There are others, but no Open MPI to reach them.</exception>
    public static Collective OfLaunch() => MpiLibrary.LaunchedRanks > 1 ? new MpiCollective() : Alone;

    /// <inheritdoc/>
    public override int Rank => _mpi.Rank;

    /// <inheritdoc/>
    public override int Ranks => _mpi.Ranks;

    /// <summary>How long the present call has been waiting for another process; zero between calls. Any thread may ask.</summary>
    public TimeSpan Waiting => Volatile.Read(ref _waitingSince) is > 0 and { } since ? Stopwatch.GetElapsedTime(since) : TimeSpan.Zero;

    /// <inheritdoc/>
    public override long Broadcast(long value)
    {
        Wait();
        value = _mpi.Broadcast(value);
        GoOn();
        return value;
    }

    /// <inheritdoc/>
    public override void Abort(int exitCode) => _mpi.Abort(exitCode);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _mpi.Dispose();
        base.Dispose();
    }

    private protected override void Average(Span<float> values)
    {
        Wait();
        _mpi.Sum(values);
        GoOn();
        TensorPrimitives.Divide(values, Ranks, values);
    }

    private protected override void Gather(ReadOnlySpan<float> own, Span<float> all)
    {
        Wait();
        _mpi.Gather(own, all);
        GoOn();
    }

    private void Wait() => Volatile.Write(ref _waitingSince, Stopwatch.GetTimestamp());

    private void GoOn() => Volatile.Write(ref _waitingSince, 0);
}
