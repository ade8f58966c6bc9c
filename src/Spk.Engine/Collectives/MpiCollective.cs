using System.Diagnostics;
using System.Numerics.Tensors;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Interop.Mpi;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Engine.Collectives;

/// <summary>Processes on CPUs that <c>mpirun</c> started, on one machine or several, connected by Open MPI.</summary>
public sealed class MpiCollective : Collective
{
    private readonly MpiLibrary _mpi;
    private long _waitingSince;

    private MpiCollective(MpiLibrary mpi) => _mpi = mpi;

    /// <inheritdoc/>
    public override int Rank => _mpi.Rank;

    /// <inheritdoc/>
    public override int Ranks => _mpi.Ranks;

    /// <summary>How long the present call has been waiting for another process; zero between calls. Any thread may ask.</summary>
    public TimeSpan Waiting => Volatile.Read(ref _waitingSince) is > 0 and var since ? Stopwatch.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>Joins the processes that <c>mpirun</c> started this one among; once a process.</summary>
    /// <returns>The processes, or null where this one was started by itself: then nothing is loaded.</returns>
    /// <exception cref="DeviceUnavailableException">There are others, but no Open MPI to reach them.</exception>
    public static MpiCollective? OfLaunch() => MpiLibrary.LaunchedRanks > 1 ? new MpiCollective(MpiLibrary.Load()) : null;

    /// <inheritdoc/>
    public override long Least(long value)
    {
        BeginWait();
        value = _mpi.Least(value);
        EndWait();
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

    internal override bool Serves(Device device) => device is CpuDevice;

    internal override void BeginWait() => Volatile.Write(ref _waitingSince, Stopwatch.GetTimestamp());

    internal override void EndWait() => Volatile.Write(ref _waitingSince, 0);

    private protected override void AverageOver(Tensor tensor)
    {
        var values = tensor.AsSpan();
        BeginWait();
        _mpi.Sum(values);
        EndWait();
        TensorPrimitives.Divide(values, Ranks, values);
    }

    private protected override void GatherFrom(Tensor own, Tensor all)
    {
        BeginWait();
        _mpi.Gather(own.AsSpan(), all.AsSpan());
        EndWait();
    }

    private protected override void ExchangeBytes(ReadOnlySpan<byte> own, Span<byte> all)
    {
        BeginWait();
        _mpi.Gather(own, all);
        EndWait();
    }
}
