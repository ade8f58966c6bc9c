namespace Spk.Interop.Cuda;

public sealed unsafe partial class CudaDriver
{
    private const uint NonBlocking = 1;
    private const uint DisableTiming = 2;
    private const int CaptureThreadLocal = 1;

    private delegate* unmanaged<nint*, uint, int> _streamCreate;
    private delegate* unmanaged<nint, int> _streamDestroy;
    private delegate* unmanaged<nint, int> _streamSynchronize;
    private delegate* unmanaged<nint, nint, uint, int> _streamWaitEvent;
    private delegate* unmanaged<nint, int, int> _streamBeginCapture;
    private delegate* unmanaged<nint, nint*, int> _streamEndCapture;
    private delegate* unmanaged<nint*, nint, ulong, int> _graphInstantiate;
    private delegate* unmanaged<nint, nint, int> _graphLaunch;
    private delegate* unmanaged<nint, int> _graphExecDestroy;
    private delegate* unmanaged<nint, int> _graphDestroy;
    private delegate* unmanaged<nint*, uint, int> _eventCreate;
    private delegate* unmanaged<nint, int> _eventDestroy;
    private delegate* unmanaged<nint, nint, int> _eventRecord;
    private delegate* unmanaged<nint, int> _eventSynchronize;
    private delegate* unmanaged<float*, nint, nint, int> _eventElapsedTime;

    /// <summary>Creates a queue that does not wait for the default stream.</summary>
    public CudaStream CreateStream()
    {
        nint stream;
        Check(_streamCreate(&stream, NonBlocking), "cuStreamCreate");
        return new CudaStream(stream);
    }

    /// <summary>Destroys a queue after its work is done.</summary>
    /// <param name="stream">From <see cref="CreateStream"/>.</param>
    public void Destroy(CudaStream stream) => Check(_streamDestroy(stream.Value), "cuStreamDestroy");

    /// <summary>Waits until everything queued so far is done; errors of earlier launches surface here.</summary>
    /// <param name="stream">The queue.</param>
    /// <param name="subject">What to name in an error, such as the last kernel.</param>
    public void Synchronize(CudaStream stream, string? subject = null) => Check(_streamSynchronize(stream.Value), "cuStreamSynchronize", subject);

    /// <summary>Makes later work of a queue wait for an event.</summary>
    /// <param name="stream">The queue.</param>
    /// <param name="mark">The event.</param>
    public void Wait(CudaStream stream, CudaEvent mark) => Check(_streamWaitEvent(stream.Value, mark.Value, 0), "cuStreamWaitEvent");

    /// <summary>Creates an event.</summary>
    /// <param name="timing">Whether it records the time.</param>
    public CudaEvent CreateEvent(bool timing = false)
    {
        nint mark;
        Check(_eventCreate(&mark, timing ? 0 : DisableTiming), "cuEventCreate");
        return new CudaEvent(mark);
    }

    /// <summary>Destroys an event.</summary>
    /// <param name="mark">From <see cref="CreateEvent"/>.</param>
    public void Destroy(CudaEvent mark) => Check(_eventDestroy(mark.Value), "cuEventDestroy");

    /// <summary>Queues an event: it is reached when all work before it is done.</summary>
    /// <param name="mark">The event.</param>
    /// <param name="stream">The queue.</param>
    public void Record(CudaEvent mark, CudaStream stream) => Check(_eventRecord(mark.Value, stream.Value), "cuEventRecord");

    /// <summary>Waits until an event is reached.</summary>
    /// <param name="mark">The event.</param>
    public void Synchronize(CudaEvent mark) => Check(_eventSynchronize(mark.Value), "cuEventSynchronize");

    /// <summary>Milliseconds between two events with timing that were reached.</summary>
    /// <param name="start">The earlier one.</param>
    /// <param name="end">The later one.</param>
    public float ElapsedMilliseconds(CudaEvent start, CudaEvent end)
    {
        float milliseconds;
        Check(_eventElapsedTime(&milliseconds, start.Value, end.Value), "cuEventElapsedTime");
        return milliseconds;
    }

    /// <summary>Starts recording what this thread queues instead of running it.</summary>
    /// <param name="stream">The queue.</param>
    public void BeginCapture(CudaStream stream) => Check(_streamBeginCapture(stream.Value, CaptureThreadLocal), "cuStreamBeginCapture");

    /// <summary>Ends the recording.</summary>
    /// <param name="stream">The queue.</param>
    public CudaGraph EndCapture(CudaStream stream)
    {
        nint graph;
        Check(_streamEndCapture(stream.Value, &graph), "cuStreamEndCapture");
        return new CudaGraph(graph);
    }

    /// <summary>Prepares a recording for replay.</summary>
    /// <param name="graph">From <see cref="EndCapture"/>.</param>
    public CudaGraphExec Instantiate(CudaGraph graph)
    {
        nint exec;
        Check(_graphInstantiate(&exec, graph.Value, 0), "cuGraphInstantiate");
        return new CudaGraphExec(exec);
    }

    /// <summary>Queues a whole recording.</summary>
    /// <param name="graph">From <see cref="Instantiate"/>.</param>
    /// <param name="stream">The queue.</param>
    public void Launch(CudaGraphExec graph, CudaStream stream) => Check(_graphLaunch(graph.Value, stream.Value), "cuGraphLaunch");

    /// <summary>Destroys a recording.</summary>
    /// <param name="graph">From <see cref="EndCapture"/>.</param>
    public void Destroy(CudaGraph graph) => Check(_graphDestroy(graph.Value), "cuGraphDestroy");

    /// <summary>Destroys a replayable recording.</summary>
    /// <param name="graph">From <see cref="Instantiate"/>.</param>
    public void Destroy(CudaGraphExec graph) => Check(_graphExecDestroy(graph.Value), "cuGraphExecDestroy");

    private void BindStreams()
    {
        _streamCreate = (delegate* unmanaged<nint*, uint, int>)Export("cuStreamCreate");
        _streamDestroy = (delegate* unmanaged<nint, int>)Export("cuStreamDestroy_v2");
        _streamSynchronize = (delegate* unmanaged<nint, int>)Export("cuStreamSynchronize");
        _streamWaitEvent = (delegate* unmanaged<nint, nint, uint, int>)Export("cuStreamWaitEvent");
        _streamBeginCapture = (delegate* unmanaged<nint, int, int>)Export("cuStreamBeginCapture_v2");
        _streamEndCapture = (delegate* unmanaged<nint, nint*, int>)Export("cuStreamEndCapture");
        _graphInstantiate = (delegate* unmanaged<nint*, nint, ulong, int>)Export("cuGraphInstantiateWithFlags");
        _graphLaunch = (delegate* unmanaged<nint, nint, int>)Export("cuGraphLaunch");
        _graphExecDestroy = (delegate* unmanaged<nint, int>)Export("cuGraphExecDestroy");
        _graphDestroy = (delegate* unmanaged<nint, int>)Export("cuGraphDestroy");
        _eventCreate = (delegate* unmanaged<nint*, uint, int>)Export("cuEventCreate");
        _eventDestroy = (delegate* unmanaged<nint, int>)Export("cuEventDestroy_v2");
        _eventRecord = (delegate* unmanaged<nint, nint, int>)Export("cuEventRecord");
        _eventSynchronize = (delegate* unmanaged<nint, int>)Export("cuEventSynchronize");
        _eventElapsedTime = (delegate* unmanaged<float*, nint, nint, int>)Export("cuEventElapsedTime");
    }
}
