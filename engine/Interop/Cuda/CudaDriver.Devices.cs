namespace Spk.Interop.Cuda;

/// <summary>Properties of a device (CUdevice_attribute) that the engine asks for; values are the driver's numbers.</summary>
public enum DeviceProperty
{
    /// <summary>Most threads of a block.</summary>
    MaxThreadsPerBlock = 1,

    /// <summary>Clock rate in kHz.</summary>
    ClockRate = 13,

    /// <summary>Streaming multiprocessors.</summary>
    MultiprocessorCount = 16,

    /// <summary>Memory clock rate in kHz.</summary>
    MemoryClockRate = 36,

    /// <summary>Width of the memory bus in bits.</summary>
    GlobalMemoryBusWidth = 37,

    /// <summary>Second-level cache in bytes.</summary>
    L2CacheSize = 38,

    /// <summary>Major number of the compute capability.</summary>
    ComputeCapabilityMajor = 75,

    /// <summary>Minor number of the compute capability.</summary>
    ComputeCapabilityMinor = 76,

    /// <summary>Most dynamic shared memory a block may opt in to, in bytes.</summary>
    MaxSharedMemoryPerBlockOptIn = 97,

    /// <summary>Whether stream-ordered memory pools work.</summary>
    MemoryPoolsSupported = 115,
}

public sealed unsafe partial class CudaDriver
{
    private delegate* unmanaged<uint, int> _init;
    private delegate* unmanaged<int*, int> _driverGetVersion;
    private delegate* unmanaged<int*, int> _deviceGetCount;
    private delegate* unmanaged<int*, int, int> _deviceGet;
    private delegate* unmanaged<byte*, int, int, int> _deviceGetName;
    private delegate* unmanaged<int*, int, int, int> _deviceGetAttribute;
    private delegate* unmanaged<nint*, int, int> _primaryRetain;
    private delegate* unmanaged<int, int> _primaryRelease;
    private delegate* unmanaged<nint, int> _contextSetCurrent;
    private delegate* unmanaged<int*, int> _contextGetDevice;
    private delegate* unmanaged<nuint*, int, int> _deviceTotalMemory;

    /// <summary>Version of the CUDA API that the driver implements: 1000 × major + 10 × minor.</summary>
    public int Version
    {
        get
        {
            int version;
            Check(_driverGetVersion(&version), "cuDriverGetVersion");
            return version;
        }
    }

    /// <summary>Number of devices.</summary>
    public int DeviceCount
    {
        get
        {
            int count;
            Check(_deviceGetCount(&count), "cuDeviceGetCount");
            return count;
        }
    }

    /// <summary>The driver's handle of a device.</summary>
    /// <param name="ordinal">0 to <see cref="DeviceCount"/> − 1.</param>
    public int Device(int ordinal)
    {
        int device;
        Check(_deviceGet(&device, ordinal), "cuDeviceGet");
        return device;
    }

    /// <summary>Name of a device, such as "NVIDIA H100 80GB HBM3".</summary>
    /// <param name="device">From <see cref="Device"/>.</param>
    public string DeviceName(int device)
    {
        byte* name = stackalloc byte[256];
        Check(_deviceGetName(name, 256, device), "cuDeviceGetName");
        return Text(name) ?? "";
    }

    /// <summary>A property of a device.</summary>
    /// <param name="device">From <see cref="Device"/>.</param>
    /// <param name="attribute">Which.</param>
    public int Attribute(int device, DeviceProperty attribute)
    {
        int value;
        Check(_deviceGetAttribute(&value, (int)attribute, device), "cuDeviceGetAttribute");
        return value;
    }

    /// <summary>Takes a share of the device's primary context.</summary>
    /// <param name="device">From <see cref="Device"/>.</param>
    /// <returns>The context; give it back with <see cref="PrimaryContextRelease"/>.</returns>
    public CudaContext PrimaryContextRetain(int device)
    {
        nint context;
        Check(_primaryRetain(&context, device), "cuDevicePrimaryCtxRetain");
        return new CudaContext(context);
    }

    /// <summary>Gives a share of the primary context back.</summary>
    /// <param name="device">From <see cref="Device"/>.</param>
    public void PrimaryContextRelease(int device) => Check(_primaryRelease(device), "cuDevicePrimaryCtxRelease");

    /// <summary>Makes a context the calling thread's current one.</summary>
    /// <param name="context">A context that is retained.</param>
    public void SetCurrent(CudaContext context) => Check(_contextSetCurrent(context.Value), "cuCtxSetCurrent");

    /// <summary>The device of the calling thread's current context.</summary>
    public int CurrentDevice()
    {
        if (_contextGetDevice == null)
        {
            throw new EntryPointNotFoundException($"{Path} has no cuCtxGetDevice.");
        }

        int device;
        Check(_contextGetDevice(&device), "cuCtxGetDevice");
        return device;
    }

    /// <summary>Bytes of memory a device has.</summary>
    /// <param name="device">From <see cref="Device"/>.</param>
    public long TotalMemory(int device)
    {
        nuint bytes;
        Check(_deviceTotalMemory(&bytes, device), "cuDeviceTotalMem");
        return (long)bytes;
    }

    private void BindDevices()
    {
        _init = (delegate* unmanaged<uint, int>)Export("cuInit");
        _driverGetVersion = (delegate* unmanaged<int*, int>)Export("cuDriverGetVersion");
        _deviceGetCount = (delegate* unmanaged<int*, int>)Export("cuDeviceGetCount");
        _deviceGet = (delegate* unmanaged<int*, int, int>)Export("cuDeviceGet");
        _deviceGetName = (delegate* unmanaged<byte*, int, int, int>)Export("cuDeviceGetName");
        _deviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute");
        _primaryRetain = (delegate* unmanaged<nint*, int, int>)Export("cuDevicePrimaryCtxRetain");
        _primaryRelease = (delegate* unmanaged<int, int>)Export("cuDevicePrimaryCtxRelease_v2");
        _contextSetCurrent = (delegate* unmanaged<nint, int>)Export("cuCtxSetCurrent");
        _contextGetDevice = (delegate* unmanaged<int*, int>)OptionalExport("cuCtxGetDevice");
        _deviceTotalMemory = (delegate* unmanaged<nuint*, int, int>)Export("cuDeviceTotalMem_v2");
    }
}
