using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Interop.Nccl;

namespace Spk.Engine.Collectives;

/// <summary>
/// Processes with a GPU each, which exchange tensors through NCCL and all else through the processes they are to the host. Exchanges are queued on the
/// device's stream and become part of recorded work.
/// </summary>
public sealed class NcclCollective : Collective
{
    private readonly Collective _host;
    private readonly CudaDevice _device;
    private readonly NcclLibrary _nccl;
    private nint _group;

    private NcclCollective(Collective host, CudaDevice device, NcclLibrary nccl, nint group)
    {
        (_host, _device, _nccl, _group) = (host, device, nccl, group);
        host.Abandoned += Break;
    }

    /// <inheritdoc/>
    public override int Rank => _host.Rank;

    /// <inheritdoc/>
    public override int Ranks => _host.Ranks;

    /// <summary>Connects the devices of processes; returns when all have come. Dispose it ahead of both.</summary>
    /// <param name="host">The processes; stay the caller's.</param>
    /// <param name="device">This process's GPU, which no other process uses.</param>
    /// <returns>The processes, for <see cref="Device.Collective"/>.</returns>
    /// <exception cref="DeviceUnavailableException">There is no NCCL.</exception>
    /// <exception cref="Spk.Interop.Cuda.CudaException">NCCL cannot connect the devices.</exception>
    public static NcclCollective Connect(Collective host, CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(device);
        var nccl = NcclLibrary.Load(device.Driver);
        NcclUniqueId own = host.IsLead ? nccl.CreateUniqueId() : default;
        byte[] all = new byte[128 * host.Ranks];
        host.Exchange<byte>(own, all);
        all.AsSpan(0, 128).CopyTo(own);
        device.MakeCurrent();
        host.BeginWait();
        nint group = nccl.Join(own, host.Rank, host.Ranks);
        host.EndWait();
        return new NcclCollective(host, device, nccl, group);
    }

    /// <inheritdoc/>
    public override long Least(long value) => _host.Least(value);

    /// <inheritdoc/>
    public override void Abort(int exitCode) => _host.Abort(exitCode);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _host.Abandoned -= Break;
        if (Interlocked.Exchange(ref _group, 0) is var group and not 0)
        {
            // NCCL waits until no recording holds one of its calls.
            _device.MakeCurrent();
            _device.Recorder.Dispose();
            _nccl.Leave(group);
        }

        base.Dispose();
    }

    internal override bool Serves(Device device) => device == _device;

    internal override void BeginWait() => _host.BeginWait();

    internal override void EndWait()
    {
        _host.EndWait();
        if (Volatile.Read(ref _group) is var group and not 0)
        {
            _nccl.CheckQueued(group);
        }
    }

    private protected override void AverageOver(Tensor tensor)
    {
        _device.MakeCurrent();
        _nccl.AverageInPlace(_group, tensor.Address, tensor.Count, _device.Stream);
    }

    private protected override void GatherFrom(Tensor own, Tensor all)
    {
        _device.MakeCurrent();
        _nccl.Gather(_group, own.Address, own.Count, all.Address, _device.Stream);
    }

    private protected override void ExchangeBytes(ReadOnlySpan<byte> own, Span<byte> all) => _host.Exchange(own, all);

    // Whatever thread finds out that others are gone: exchanges that wait for them return.
    private void Break()
    {
        if (Interlocked.Exchange(ref _group, 0) is var group and not 0)
        {
            _nccl.Abort(group);
        }
    }
}
