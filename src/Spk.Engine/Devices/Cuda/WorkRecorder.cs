using Spk.Interop.Cuda;

namespace Spk.Engine.Devices.Cuda;

/// <summary>
/// Records repeated work as a graph and replays it. The first runs load kernels and let the workspace find its size; a recording
/// holds for the addresses it was made with, so it is given up when the workspace moved, or when something else used its tensors.
/// </summary>
/// <param name="device">The device whose stream is recorded.</param>
internal sealed class WorkRecorder(CudaDevice device)
{
    private const int RunsBeforeRecording = 2;

    private readonly List<ReplayedWork> _recorded = [];

    /// <summary>Off, every kernel is launched each time.</summary>
    public bool IsEnabled { get; set; } = true;

    /// <summary>Whether launches go into a recording just now: nothing can be read back or uploaded then.</summary>
    public bool IsRecording { get; private set; }

    /// <summary>How often a recording was replayed.</summary>
    public long Replays { get; private set; }

    /// <summary>Goes to where the work's inputs lay the last time, or some way ahead.</summary>
    public void Begin(ReplayedWork work)
    {
        var workspace = device.Workspace;
        if (!workspace.CanSkipTo(work.Mark))
        {
            work.Mark = workspace.Ahead();
        }

        workspace.SkipTo(work.Mark);
    }

    public void Run(ReplayedWork work)
    {
        var workspace = device.Workspace;
        if (work.Recording is { } known
            && known.Key == work.Key
            && known.Generation == workspace.Generation
            && workspace.Position == known.Start
            && workspace.IsUndisturbed(known.Start, known.End, known.HandedOut))
        {
            workspace.Advance(known.End);
            device.Driver.Launch(known.Graph, device.Stream);
            Replays++;
            return;
        }

        Discard(work);
        bool settled = work.EagerRuns >= RunsBeforeRecording
            && work.Eager.Key == work.Key
            && work.Eager.Generation == workspace.Generation
            && work.Eager.Bytes <= workspace.RoomLeft;
        if (!IsEnabled || work.CannotRecord || !settled || !TryRecord(work))
        {
            RunEagerly(work);
        }
    }

    public void Dispose()
    {
        foreach (var work in _recorded.ToArray())
        {
            Discard(work);
        }
    }

    private void RunEagerly(ReplayedWork work)
    {
        var workspace = device.Workspace;
        long before = workspace.UsedBytes;
        work.RunEagerly();

        // Another key may launch other kernels, which one run loads; other memory needs two: the second one finds its room.
        work.EagerRuns = work.Eager.Generation != workspace.Generation ? 1 : work.Eager.Key != work.Key ? RunsBeforeRecording : work.EagerRuns + 1;
        work.Eager = (work.Key, workspace.Generation, workspace.UsedBytes - before);
    }

    private bool TryRecord(ReplayedWork work)
    {
        var workspace = device.Workspace;
        var start = workspace.Position;
        device.Driver.BeginCapture(device.Stream);
        IsRecording = true;
        CudaGraph graph;
        try
        {
            work.RunEagerly();
            IsRecording = false;
            graph = device.Driver.EndCapture(device.Stream);
        }
        catch (Exception error)
        {
            Abandon();
            if (error is not (CudaException or NotRecordableException))
            {
                throw;
            }

            // Run without a recording it either works, or fails with the error that matters.
            work.CannotRecord = true;
            workspace.Advance(start);
            return false;
        }

        var executable = device.Driver.Instantiate(graph);
        device.Driver.Destroy(graph);
        work.Recording = new WorkRecording(executable, work.Key, workspace.Generation, start, workspace.Position, workspace.HandedOut);
        _recorded.Add(work);
        device.Driver.Launch(executable, device.Stream);
        return true;
    }

    // The first error is the one to report: what ending a broken capture says is not.
    private void Abandon()
    {
        if (!IsRecording)
        {
            return;
        }

        IsRecording = false;
        try
        {
            device.Driver.Destroy(device.Driver.EndCapture(device.Stream));
        }
        catch (CudaException)
        {
        }
    }

    private void Discard(ReplayedWork work)
    {
        if (work.Recording is { } recording)
        {
            work.Recording = null;
            _recorded.Remove(work);
            device.Driver.Destroy(recording.Graph);
        }
    }
}

/// <summary>Something was asked of a device that cannot be part of a recording.</summary>
internal sealed class NotRecordableException(string what) : InvalidOperationException($"{what} cannot be part of recorded work.");
