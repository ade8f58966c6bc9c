using System.Runtime.InteropServices;

namespace Spk.Interop.Cuda;

public sealed unsafe partial class CudaDriver
{
    private const uint HostPortable = 1;
    private const int MemoryTypeHost = 1;
    private const int MemoryTypeDevice = 2;

    private delegate* unmanaged<ulong*, nuint, int> _memAlloc;
    private delegate* unmanaged<ulong, int> _memFree;
    private delegate* unmanaged<nuint*, nuint*, int> _memGetInfo;
    private delegate* unmanaged<nint*, nuint, uint, int> _memHostAlloc;
    private delegate* unmanaged<nint, int> _memFreeHost;
    private delegate* unmanaged<ulong, nint, nuint, nint, int> _hostToDevice;
    private delegate* unmanaged<nint, ulong, nuint, nint, int> _deviceToHost;
    private delegate* unmanaged<ulong, ulong, nuint, nint, int> _deviceToDevice;
    private delegate* unmanaged<ulong, byte, nuint, nint, int> _fillBytes;
    private delegate* unmanaged<ulong, uint, nuint, nint, int> _fillWords;
    private delegate* unmanaged<Copy2D*, nint, int> _copyRows;

    /// <summary>Allocates device memory, aligned to 256 bytes; contents are undefined.</summary>
    /// <param name="bytes">1 or more.</param>
    /// <returns>Its address.</returns>
    public nint MemoryAllocate(long bytes)
    {
        ulong address;
        Check(_memAlloc(&address, (nuint)bytes), "cuMemAlloc");
        return (nint)address;
    }

    /// <summary>Frees what <see cref="MemoryAllocate"/> gave; waits for work that uses it.</summary>
    /// <param name="address">The address.</param>
    public void MemoryFree(nint address) => Check(_memFree((ulong)address), "cuMemFree");

    /// <summary>Free and total bytes of the current context's device.</summary>
    public (long Free, long Total) MemoryInfo()
    {
        nuint free, total;
        Check(_memGetInfo(&free, &total), "cuMemGetInfo");
        return ((long)free, (long)total);
    }

    /// <summary>Allocates page-locked host memory, which copies run from at full speed and asynchronously.</summary>
    /// <param name="bytes">1 or more.</param>
    /// <returns>Its address.</returns>
    public nint HostAllocate(long bytes)
    {
        nint address;
        Check(_memHostAlloc(&address, (nuint)bytes, HostPortable), "cuMemHostAlloc");
        return address;
    }

    /// <summary>Frees what <see cref="HostAllocate"/> gave.</summary>
    /// <param name="address">The address.</param>
    public void HostFree(nint address) => Check(_memFreeHost(address), "cuMemFreeHost");

    /// <summary>Queues a copy from host memory. Memory that is not page-locked is staged before the call returns.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="host">Where from.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="stream">The queue.</param>
    public void CopyToDevice(nint device, void* host, long bytes, CudaStream stream) =>
        Check(_hostToDevice((ulong)device, (nint)host, (nuint)bytes, stream.Value), "cuMemcpyHtoDAsync");

    /// <summary>Queues a copy to host memory; it is there after the stream was synchronised.</summary>
    /// <param name="host">Where to.</param>
    /// <param name="device">Where from.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="stream">The queue.</param>
    public void CopyToHost(void* host, nint device, long bytes, CudaStream stream) =>
        Check(_deviceToHost((nint)host, (ulong)device, (nuint)bytes, stream.Value), "cuMemcpyDtoHAsync");

    /// <summary>Queues a copy within the device.</summary>
    /// <param name="destination">Where to.</param>
    /// <param name="source">Where from; must not overlap.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="stream">The queue.</param>
    public void CopyOnDevice(nint destination, nint source, long bytes, CudaStream stream) =>
        Check(_deviceToDevice((ulong)destination, (ulong)source, (nuint)bytes, stream.Value), "cuMemcpyDtoDAsync");

    /// <summary>Queues filling memory with one 32-bit pattern.</summary>
    /// <param name="address">Where, aligned to 4 bytes.</param>
    /// <param name="value">The pattern.</param>
    /// <param name="count">How many times.</param>
    /// <param name="stream">The queue.</param>
    public void Fill(nint address, uint value, long count, CudaStream stream) =>
        Check(_fillWords((ulong)address, value, (nuint)count, stream.Value), "cuMemsetD32Async");

    /// <summary>Queues a copy of rows whose distance differs between the two sides; either side may be on the host.</summary>
    /// <param name="destination">Address of the first row; host memory where <paramref name="toHost"/>.</param>
    /// <param name="destinationPitch">Bytes from row to row.</param>
    /// <param name="source">Address of the first row; host memory where <paramref name="fromHost"/>.</param>
    /// <param name="sourcePitch">Bytes from row to row.</param>
    /// <param name="width">Bytes of a row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="fromHost">Whether the source is host memory.</param>
    /// <param name="toHost">Whether the destination is host memory.</param>
    /// <param name="stream">The queue.</param>
    public void CopyRows(
        nint destination, long destinationPitch, nint source, long sourcePitch, long width, long rows, bool fromHost, bool toHost, CudaStream stream)
    {
        var copy = new Copy2D
        {
            SourceType = fromHost ? MemoryTypeHost : MemoryTypeDevice,
            SourceHost = fromHost ? source : 0,
            SourceDevice = fromHost ? 0 : (ulong)source,
            SourcePitch = (nuint)sourcePitch,
            DestinationType = toHost ? MemoryTypeHost : MemoryTypeDevice,
            DestinationHost = toHost ? destination : 0,
            DestinationDevice = toHost ? 0 : (ulong)destination,
            DestinationPitch = (nuint)destinationPitch,
            WidthInBytes = (nuint)width,
            Height = (nuint)rows,
        };
        Check(_copyRows(&copy, stream.Value), "cuMemcpy2DAsync");
    }

    /// <summary>Queues filling memory with one byte.</summary>
    /// <param name="address">Where.</param>
    /// <param name="value">The byte.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="stream">The queue.</param>
    public void Fill(nint address, byte value, long bytes, CudaStream stream) =>
        Check(_fillBytes((ulong)address, value, (nuint)bytes, stream.Value), "cuMemsetD8Async");

    // CUDA_MEMCPY2D of the driver API.
    [StructLayout(LayoutKind.Sequential)]
    private struct Copy2D
    {
        public nuint SourceX, SourceY;
        public int SourceType;
        public nint SourceHost;
        public ulong SourceDevice;
        public nint SourceArray;
        public nuint SourcePitch;
        public nuint DestinationX, DestinationY;
        public int DestinationType;
        public nint DestinationHost;
        public ulong DestinationDevice;
        public nint DestinationArray;
        public nuint DestinationPitch, WidthInBytes, Height;
    }

    private void BindMemory()
    {
        _fillWords = (delegate* unmanaged<ulong, uint, nuint, nint, int>)Export("cuMemsetD32Async");
        _copyRows = (delegate* unmanaged<Copy2D*, nint, int>)Export("cuMemcpy2DAsync_v2");
        _memAlloc = (delegate* unmanaged<ulong*, nuint, int>)Export("cuMemAlloc_v2");
        _memFree = (delegate* unmanaged<ulong, int>)Export("cuMemFree_v2");
        _memGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)Export("cuMemGetInfo_v2");
        _memHostAlloc = (delegate* unmanaged<nint*, nuint, uint, int>)Export("cuMemHostAlloc");
        _memFreeHost = (delegate* unmanaged<nint, int>)Export("cuMemFreeHost");
        _hostToDevice = (delegate* unmanaged<ulong, nint, nuint, nint, int>)Export("cuMemcpyHtoDAsync_v2");
        _deviceToHost = (delegate* unmanaged<nint, ulong, nuint, nint, int>)Export("cuMemcpyDtoHAsync_v2");
        _deviceToDevice = (delegate* unmanaged<ulong, ulong, nuint, nint, int>)Export("cuMemcpyDtoDAsync_v2");
        _fillBytes = (delegate* unmanaged<ulong, byte, nuint, nint, int>)Export("cuMemsetD8Async");
    }
}
