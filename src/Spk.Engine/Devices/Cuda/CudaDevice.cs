using System.Globalization;
using System.Runtime.CompilerServices;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Interop.Cuda;

namespace Spk.Engine.Devices.Cuda;

/// <summary>An NVIDIA GPU driven through our own kernels. Work is queued on one stream; reading a tensor waits for it.</summary>
public sealed unsafe class CudaDevice : Device
{
    private const int OutOfMemory = 2;

    [ThreadStatic]
    private static CudaDevice? _current;

    private readonly int _device;
    private readonly CudaContext _context;
    private readonly KernelTable _kernels;
    private readonly List<nint> _persistent = [];
    private readonly ConditionalWeakTable<object, object> _tables = [];
    private readonly bool _synchronizeLaunches;
    private bool _disposed;

    /// <summary>Opens a device of a driver.</summary>
    /// <param name="driver">The driver, or the emulator.</param>
    /// <param name="ordinal">Which device, from 0.</param>
    /// <exception cref="DeviceUnavailableException">There is no such device, or its compute capability is below 8.0.</exception>
    public CudaDevice(CudaDriver driver, int ordinal = 0)
    {
        ArgumentNullException.ThrowIfNull(driver);
        Driver = driver;
        int count = driver.DeviceCount;
        if (ordinal < 0 || ordinal >= count)
        {
            throw new DeviceUnavailableException($"There is no device cuda:{ordinal}: the driver reports {count} device{(count == 1 ? "" : "s")}.");
        }

        _device = driver.Device(ordinal);
        ComputeCapability = (
            driver.Attribute(_device, DeviceProperty.ComputeCapabilityMajor), driver.Attribute(_device, DeviceProperty.ComputeCapabilityMinor));
        string model = driver.DeviceName(_device);
        if (ComputeCapability.Major < 8)
        {
            throw new DeviceUnavailableException(
                $"cuda:{ordinal} ({model}) has compute capability {ComputeCapability.Major}.{ComputeCapability.Minor}; 8.0 (Ampere) or later is needed: use --device cpu.");
        }

        Multiprocessors = driver.Attribute(_device, DeviceProperty.MultiprocessorCount);
        Name = $"cuda:{ordinal} ({model})";
        _context = driver.PrimaryContextRetain(_device);
        driver.SetCurrent(_context);
        _current = this;
        Stream = driver.CreateStream();
        _kernels = new KernelTable(driver, new KernelImages(driver));
        _synchronizeLaunches = Environment.GetEnvironmentVariable("SPK_CUDA_SYNC") is "1";
        Recorder = new WorkRecorder(this) { IsEnabled = !_synchronizeLaunches };
        Workspace = new Workspace(this);
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override Workspace Workspace { get; }

    /// <summary>The driver this device belongs to.</summary>
    public CudaDriver Driver { get; }

    /// <summary>Generation of the architecture, such as (9, 0) for Hopper.</summary>
    public (int Major, int Minor) ComputeCapability { get; }

    /// <summary>Number of streaming multiprocessors: how many blocks it takes to fill the device.</summary>
    public int Multiprocessors { get; }

    /// <inheritdoc/>
    public override Precision Precision { get; set; }

    /// <summary>The queue that all ops use.</summary>
    public CudaStream Stream { get; }

    private protected override long? FreeBytes
    {
        get
        {
            MakeCurrent();
            return Driver.MemoryInfo().Free;
        }
    }

    /// <summary>Records and replays repeated work.</summary>
    internal WorkRecorder Recorder { get; }

    /// <summary>Whether kernels with Hopper's products of warpgroups are used where there are any; off where SPK_CUDA_WGMMA is 0.</summary>
    internal bool UsesWarpgroups { get; set; } = Environment.GetEnvironmentVariable("SPK_CUDA_WGMMA") is not "0";

    /// <summary>Whether their tiles are brought by Hopper's copy engine where it can; off where SPK_CUDA_TMA is 0.</summary>
    internal bool UsesBulkCopies { get; set; } = Environment.GetEnvironmentVariable("SPK_CUDA_TMA") is not "0";

    /// <summary>Whether bf16 products that could run on warpgroups do so however small they are.</summary>
    internal bool AlwaysOnWarpgroups { get; set; }

    /// <summary>Told of every kernel that is launched, for tests of which one is chosen; null for nobody.</summary>
    internal Action<KernelId>? Launching { get; set; }

    /// <summary>Whether the binary that was loaded of a kernel's file has the kernel: some are for one architecture only.</summary>
    internal bool Has(KernelId kernel)
    {
        MakeCurrent();
        return _kernels.Has(kernel);
    }

    /// <summary>Queues a kernel; an empty grid is nothing to do. Allocates nothing.</summary>
    internal void Launch(KernelId kernel, in LaunchShape shape, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (shape.GridX == 0 || shape.GridY == 0 || shape.GridZ == 0)
        {
            return;
        }

        Launching?.Invoke(kernel);
        MakeCurrent();
        Driver.Launch(_kernels[kernel], kernel.Name, shape, Stream, arguments);
        if (_synchronizeLaunches)
        {
            Driver.Synchronize(Stream, kernel.Name);
        }
    }

    /// <summary>What an op keeps on this device for as long as something on the host lives, such as tables; made on first use.</summary>
    /// <param name="owner">What it belongs to.</param>
    /// <param name="make">Makes it.</param>
    internal TTables TablesFor<TOwner, TTables>(TOwner owner, Func<CudaDevice, TOwner, TTables> make)
        where TOwner : class
        where TTables : class
    {
        if (!_tables.TryGetValue(owner, out object? tables))
        {
            tables = make(this, owner);
            _tables.Add(owner, tables);
        }

        return (TTables)tables;
    }

    /// <summary>A copy of host values in persistent memory.</summary>
    internal Tensor Persist<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var tensor = AllocatePersistent(new Shape(values.Length), ElementTypes.Of<T>());
        CopyFromHost(values, tensor);
        return tensor;
    }

    /// <summary>A copy of a few host values in the workspace; queued.</summary>
    internal Tensor RentCopy<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var tensor = Workspace.Rent(new Shape(values.Length), ElementTypes.Of<T>());
        fixed (T* host = values)
        {
            Upload(tensor.Address, host, (long)values.Length * sizeof(T));
        }

        return tensor;
    }

    /// <summary>Queues a copy within the device.</summary>
    internal void Copy(nint destination, nint source, long bytes)
    {
        MakeCurrent();
        if (bytes > 0)
        {
            Driver.CopyOnDevice(destination, source, bytes, Stream);
        }
    }

    /// <summary>Queues a copy from host memory, which may be reused when this returns.</summary>
    internal void Upload(nint destination, void* source, long bytes)
    {
        RequireNoRecording("An upload");
        MakeCurrent();
        Driver.CopyToDevice(destination, source, bytes, Stream);
    }

    /// <summary>Copies to host memory and waits for it.</summary>
    internal void Download(void* destination, nint source, long bytes)
    {
        RequireNoRecording("Reading back");
        MakeCurrent();
        Driver.CopyToHost(destination, source, bytes, Stream);
        Await();
    }

    /// <summary>Queues filling memory with zeros.</summary>
    internal void Clear(nint address, long bytes) => Fill(address, 0, bytes);

    /// <summary>Queues filling memory with one byte.</summary>
    internal void Fill(nint address, byte value, long bytes)
    {
        MakeCurrent();
        if (bytes > 0)
        {
            Driver.Fill(address, value, bytes, Stream);
        }
    }

    /// <inheritdoc/>
    public override Tensor AllocatePersistent(Shape shape, ElementType type = ElementType.Float32)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        long bytes = Math.Max(1, (long)shape.Count * type.Size());
        nint address = AllocateBlock(bytes);
        _persistent.Add(address);
        PersistentBytes += bytes;
        Clear(address, bytes);
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
            Clear(tensor.Address, (long)tensor.Count * size);
            return;
        }

        MakeCurrent();
        for (int row = 0; row < tensor.Shape.Rows; row++)
        {
            Driver.Fill(tensor.Address + ((nint)row * tensor.RowStride * size), 0, (long)tensor.Shape.Last * size, Stream);
        }
    }

    /// <inheritdoc/>
    public override void Synchronize()
    {
        MakeCurrent();
        Await();
    }

    /// <inheritdoc/>
    public override void Fill(Tensor tensor, float value)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.IsContiguous || tensor.ElementType != ElementType.Float32)
        {
            throw new ShapeException($"Only contiguous f32 tensors can be filled, not {tensor.ElementType} {tensor.Shape} with row stride {tensor.RowStride}.");
        }

        MakeCurrent();
        Driver.Fill(tensor.Address, BitConverter.SingleToUInt32Bits(value), tensor.Count, Stream);
    }

    internal override void Begin(ReplayedWork work) => Recorder.Begin(work);

    internal override void Replay(ReplayedWork work)
    {
        MakeCurrent();
        Recorder.Run(work);
    }

    internal override void CopyRowsToHost(Tensor source, void* host)
    {
        RequireNoRecording("Reading back");
        MakeCurrent();
        CopyRows((nint)host, source.Shape.Last, source.Address, source.RowStride, source, fromHost: false);
        Await();
    }

    internal override void CopyRowsFromHost(void* host, Tensor destination)
    {
        RequireNoRecording("An upload");
        MakeCurrent();
        CopyRows(destination.Address, destination.RowStride, (nint)host, destination.Shape.Last, destination, fromHost: true);
        if (!destination.IsContiguous)
        {
            // A plain copy has taken pageable memory when the call returns; of strided ones the driver promises nothing.
            Driver.Synchronize(Stream);
        }
    }

    internal override nint AllocateBlock(long bytes)
    {
        RequireNoRecording("Allocating memory");
        MakeCurrent();
        try
        {
            return Driver.MemoryAllocate(bytes);
        }
        catch (CudaException e) when (e.Code == OutOfMemory)
        {
            var (free, total) = Driver.MemoryInfo();
            throw new OutOfDeviceMemoryException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Out of device memory on {Name}: {bytes >> 20} MiB more were needed, {free >> 20} of {total >> 20} MiB are free and this program holds {PersistentBytes >> 20} MiB for parameters and tables and {Workspace.ReservedBytes >> 20} MiB for a step; use a smaller batch or shorter crops."),
                e);
        }
    }

    internal override void FreeBlock(nint address)
    {
        MakeCurrent();
        Driver.MemoryFree(address);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        MakeCurrent();

        // After a fault every call fails with its status: the error that was thrown then is the one to report, not these.
        foreach (var (_, tables) in _tables)
        {
            Quietly(() => (tables as IDisposable)?.Dispose());
        }

        Quietly(Recorder.Dispose);
        Quietly(Workspace.Dispose);
        foreach (nint address in _persistent)
        {
            Quietly(() => Driver.MemoryFree(address));
        }

        _persistent.Clear();
        Quietly(_kernels.Unload);
        Quietly(() => Driver.Destroy(Stream));
        _current = null;
        Quietly(() => Driver.PrimaryContextRelease(_device));
    }

    private static void Quietly(Action cleanUp)
    {
        try
        {
            cleanUp();
        }
        catch (CudaException)
        {
        }
    }

    // What is queued may wait for other processes.
    private void Await()
    {
        Collective.BeginWait();
        Driver.Synchronize(Stream);
        Collective.EndWait();
    }

    private void RequireNoRecording(string what)
    {
        if (Recorder.IsRecording)
        {
            throw new NotRecordableException(what);
        }
    }

    /// <summary>Directs the driver's calls of this thread to this device.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void MakeCurrent()
    {
        if (_current != this)
        {
            Driver.SetCurrent(_context);
            _current = this;
        }
    }

    private void CopyRows(nint destination, int destinationStride, nint source, int sourceStride, Tensor tensor, bool fromHost)
    {
        long size = tensor.ElementType.Size();
        if (tensor.Count == 0)
        {
            return;
        }

        if (!tensor.IsContiguous)
        {
            Driver.CopyRows(
                destination, destinationStride * size, source, sourceStride * size, tensor.Shape.Last * size, tensor.Shape.Rows, fromHost, !fromHost, Stream);
        }
        else if (fromHost)
        {
            Driver.CopyToDevice(destination, (void*)source, tensor.Count * size, Stream);
        }
        else
        {
            Driver.CopyToHost((void*)destination, source, tensor.Count * size, Stream);
        }
    }
}
