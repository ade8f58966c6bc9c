using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Devices;

/// <summary>The managed SIMD backend: works everywhere, needs no native library.</summary>
public sealed unsafe class CpuDevice : Device
{
    private const nuint Alignment = 64;
    private readonly List<nint> _persistent = [];
    private GCHandle _workersHandle;
    private float* _shared;
    private long _sharedCount;
    private bool _disposed;

    /// <summary>Starts the workers.</summary>
    /// <param name="threads">Worker threads including the caller; 0 for one per logical processor. Results do not depend on it.</param>
    public CpuDevice(int threads = 0)
    {
        if (threads < 0 || threads > 1024)
        {
            throw new InvalidOptionException($"threads = {threads}: allowed are 0 (one per processor) to 1024.");
        }

        Workers = new WorkerPool(threads == 0 ? Environment.ProcessorCount : threads);
        _workersHandle = GCHandle.Alloc(Workers);
        Workspace = new Workspace(this);
    }

    /// <inheritdoc/>
    public override string Name => $"cpu ({Threads} thread{(Threads == 1 ? "" : "s")}, {InstructionSet})";

    /// <inheritdoc/>
    public override Workspace Workspace { get; }

    /// <summary>Number of threads that share the work, the caller included.</summary>
    public int Threads => Workers.Threads;

    /// <summary>The widest vector instructions the runtime uses here.</summary>
    public static string InstructionSet =>
        Vector512.IsHardwareAccelerated ? "512-bit vectors"
        : Vector256.IsHardwareAccelerated ? "256-bit vectors"
        : Vector128.IsHardwareAccelerated ? "128-bit vectors" : "scalar";

    internal WorkerPool Workers { get; }

    /// <summary>The worker pool as a value that an unmanaged loop body can carry.</summary>
    internal nint WorkersHandle => GCHandle.ToIntPtr(_workersHandle);

    /// <summary>One buffer for data that all workers of a loop share (a packed operand); the next caller overwrites it.</summary>
    internal float* SharedScratch(long count)
    {
        if (_sharedCount < count)
        {
            NativeMemory.AlignedFree(_shared);
            _shared = (float*)AllocateBlock(count * sizeof(float));
            _sharedCount = count;
        }

        return _shared;
    }

    /// <inheritdoc/>
    public override Tensor AllocatePersistent(Shape shape, ElementType type = ElementType.Float32)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        long bytes = Math.Max(1, (long)shape.Count * type.Size());
        nint address = AllocateBlock(bytes);
        NativeMemory.Clear((void*)address, (nuint)bytes);
        _persistent.Add(address);
        PersistentBytes += bytes;
        var tensor = new Tensor();
        tensor.Reset(this, address, shape, type);
        return tensor;
    }

    /// <inheritdoc/>
    public override void Zero(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        int size = tensor.ElementType.Size();
        if (tensor.IsContiguous)
        {
            NativeMemory.Clear((void*)tensor.Address, (nuint)tensor.Count * (nuint)size);
            return;
        }

        for (int row = 0; row < tensor.Shape.Rows; row++)
        {
            NativeMemory.Clear((byte*)tensor.Address + ((nint)row * tensor.RowStride * size), (nuint)(tensor.Shape.Last * size));
        }
    }

    /// <inheritdoc/>
    public override void Fill(Tensor tensor, float value)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        tensor.AsSpan().Fill(value);
    }

    internal override void CopyRowsToHost(Tensor source, void* host)
    {
        long width = (long)source.Shape.Last * source.ElementType.Size(), stride = (long)source.RowStride * source.ElementType.Size();
        for (int row = 0; row < source.Shape.Rows; row++)
        {
            Buffer.MemoryCopy((byte*)source.Address + (row * stride), (byte*)host + (row * width), width, width);
        }
    }

    internal override void CopyRowsFromHost(void* host, Tensor destination)
    {
        long width = (long)destination.Shape.Last * destination.ElementType.Size(), stride = (long)destination.RowStride * destination.ElementType.Size();
        for (int row = 0; row < destination.Shape.Rows; row++)
        {
            Buffer.MemoryCopy((byte*)host + (row * width), (byte*)destination.Address + (row * stride), width, width);
        }
    }

    internal override nint AllocateBlock(long bytes)
    {
        try
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
        }
        catch (OutOfMemoryException e)
        {
            throw new SpkException($"Out of memory: {bytes >> 20} MiB more were needed; use a smaller batch or shorter crops.", e);
        }
    }

    internal override void FreeBlock(nint address) => NativeMemory.AlignedFree((void*)address);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Workers.Dispose();
        _workersHandle.Free();
        NativeMemory.AlignedFree(_shared);
        Workspace.Dispose();
        foreach (nint address in _persistent)
        {
            FreeBlock(address);
        }

        _persistent.Clear();
    }
}
