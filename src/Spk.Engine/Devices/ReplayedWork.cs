using Spk.Interop.Cuda;

namespace Spk.Engine.Devices;

/// <summary>
/// A sequence of ops that is run again and again on the same addresses, such as the forward and backward pass of a training
/// step. The ops must not read back from the device or copy from host memory while they run.
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

    /// <summary>Runs the ops, or replays what they did last time.</summary>
    /// <param name="key">Changes where an argument of the ops does (a margin, a mode): they are then run anew.</param>
    public void Run(long key)
    {
        Key = key;
        _device.Replay(this);
    }

    /// <summary>The key of the present run.</summary>
    internal long Key { get; private set; }

    /// <summary>What a GPU recorded, and under which circumstances.</summary>
    internal CudaGraphExec Graph { get; set; }

    /// <summary>The key, the workspace and its position when it was recorded.</summary>
    internal (long Key, int Generation, WorkspacePosition Start, WorkspacePosition End) Recorded { get; set; }

    /// <summary>Eager runs since the circumstances last changed.</summary>
    internal int EagerRuns { get; set; }

    internal void RunEagerly() => _ops();
}
