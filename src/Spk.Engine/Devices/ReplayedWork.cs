using Spk.Interop.Cuda;

namespace Spk.Engine.Devices;

/// <summary>
/// A sequence of ops that is run again and again on the same addresses, such as the forward and backward pass of a training
/// step. Ops that read back from the device or copy from host memory are run anew each time.
/// </summary>
public sealed class ReplayedWork
{
    private readonly Device _device;
    private readonly Action _ops;

    /// <summary>Names the work; nothing runs yet.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="ops">Runs the ops. What they rent stays valid until the workspace is reset, replayed or not.</param>
    public ReplayedWork(Device device, Action ops)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(ops);
        _device = device;
        _ops = ops;
    }

    /// <summary>
    /// From here on tensors lie where they lay in the last step, whatever was rented before: call it ahead of renting the inputs of
    /// the ops, whose addresses a recording holds.
    /// </summary>
    public void Begin() => _device.Begin(this);

    /// <summary>Runs the ops, or replays what they did last time.</summary>
    /// <param name="key">Changes where an argument of the ops does (a margin, a mode): they are then run anew.</param>
    public void Run(long key)
    {
        Key = key;
        _device.Replay(this);
    }

    /// <summary>The key of the present run.</summary>
    internal long Key { get; private set; }

    /// <summary>What a GPU recorded; null for nothing.</summary>
    internal WorkRecording? Recording { get; set; }

    /// <summary>Where in the workspace its inputs start: what comes before may end earlier.</summary>
    internal WorkspacePosition Mark { get; set; }

    /// <summary>The last run that was not replayed: its key, the workspace's generation after it, and the bytes it took.</summary>
    internal (long Key, int Generation, long Bytes) Eager { get; set; }

    /// <summary>Runs like that one in a row.</summary>
    internal int EagerRuns { get; set; }

    /// <summary>Set where recording failed: the work reads back or uploads.</summary>
    internal bool CannotRecord { get; set; }

    internal void RunEagerly() => _ops();
}

/// <summary>Launches that can be repeated as long as everything lies where it lay.</summary>
/// <param name="Graph">The launches.</param>
/// <param name="Key">The key of the run that was recorded.</param>
/// <param name="Generation">The workspace's generation then.</param>
/// <param name="Start">Its position at the beginning.</param>
/// <param name="End">Its position at the end.</param>
/// <param name="HandedOut">Number of the tensor handed out last: those in between must not have been handed out since.</param>
internal sealed record WorkRecording(CudaGraphExec Graph, long Key, int Generation, WorkspacePosition Start, WorkspacePosition End, long HandedOut);
