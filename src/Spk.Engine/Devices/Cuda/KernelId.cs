namespace Spk.Engine.Devices.Cuda;

/// <summary>Names a kernel. Ops hold them in static fields, so that a launch finds its function by an index.</summary>
internal sealed class KernelId
{
    private static int _count;

    /// <summary>Names a kernel.</summary>
    /// <param name="source">Its file under engine/kernels without extension, such as "encoder/batch_norm".</param>
    /// <param name="name">Its name there, unique over all files.</param>
    /// <param name="sharedBytes">The most dynamic shared memory it is launched with; needed above 48 KiB.</param>
    public KernelId(string source, string name, int sharedBytes = 0)
    {
        Source = source;
        Name = name;
        SharedBytes = sharedBytes;
        Index = Interlocked.Increment(ref _count) - 1;
    }

    public string Source { get; }

    public string Name { get; }

    public int SharedBytes { get; }

    /// <summary>Position in each device's table of functions.</summary>
    public int Index { get; }
}
