using System.Runtime.InteropServices;
using System.Text;

namespace Spk.Interop.Cuda;

/// <summary>
/// The part of the CUDA driver API that this project calls, bound at run time from one library, so that nothing native is
/// needed to start and several libraries (the real driver, the emulator) look the same. Instances are thread-safe.
/// </summary>
/// <remarks>
/// Names follow the driver API (cuMemAlloc → <see cref="MemoryAllocate"/>). Every failure throws <see cref="CudaException"/>
/// with the status's name and the driver's text. See https://docs.nvidia.com/cuda/cuda-driver-api.
/// </remarks>
public sealed unsafe partial class CudaDriver
{
    private const string LibraryName = "CUDA driver";

    private readonly delegate* unmanaged<int, byte**, int> _getErrorName;
    private readonly delegate* unmanaged<int, byte**, int> _getErrorString;

    private CudaDriver(string path, nint library)
    {
        Path = path;
        Library = library;
        _getErrorName = (delegate* unmanaged<int, byte**, int>)Export("cuGetErrorName");
        _getErrorString = (delegate* unmanaged<int, byte**, int>)Export("cuGetErrorString");
        IsEmulator = NativeLibrary.TryGetExport(library, EmulatorMark, out _);
        BindDevices();
        BindMemory();
        BindExecution();
        BindStreams();
        BindTensorMaps();
        Check(_init(0), "cuInit");
    }

    /// <summary>The export by which the emulator says that it is one.</summary>
    public const string EmulatorMark = "spkEmulatorVersion";

    /// <summary>Where the library was found.</summary>
    public string Path { get; }

    /// <summary>Whether this is the CPU emulator used in tests.</summary>
    public bool IsEmulator { get; }

    /// <summary>The library's handle, for further exports.</summary>
    public nint Library { get; }

    /// <summary>Binds a driver library and initialises it.</summary>
    /// <param name="path">File name or path, as for the system's loader.</param>
    /// <returns>The driver.</returns>
    /// <exception cref="DllNotFoundException">There is no such library.</exception>
    /// <exception cref="EntryPointNotFoundException">It lacks a function; it is too old.</exception>
    /// <exception cref="CudaException">It could not be initialised, for example because there is no device.</exception>
    public static CudaDriver Load(string path) => new(path, NativeLibrary.Load(path));

    /// <summary>Says in a few words why a library could not be loaded: it is not there, or the loader's reason.</summary>
    /// <param name="path">What <see cref="Load"/> was given.</param>
    /// <param name="error">What it threw.</param>
    public static string WhyNotLoaded(string path, DllNotFoundException error) => LibrarySearch.WhyNot(path, error);

    /// <summary>Throws where a status is not success.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="call">Its name.</param>
    /// <param name="subject">What it was about, such as a kernel's name, or null.</param>
    /// <exception cref="CudaException">The status is not 0.</exception>
    public void Check(int status, string call, string? subject = null)
    {
        if (status != 0)
        {
            throw Failure(status, call, subject);
        }
    }

    private CudaException Failure(int status, string call, string? subject)
    {
        byte* name = null, text = null;
        _getErrorName(status, &name);
        _getErrorString(status, &text);
        return new CudaException(
            LibraryName, subject is null ? call : $"{call} of {subject}", status, Text(name) ?? "an unknown status", Text(text) ?? "no explanation");
    }

    private nint Export(string name) => NativeLibrary.GetExport(Library, name);

    // Functions that older drivers or the emulator lack: 0, and the caller does without.
    private nint OptionalExport(string name) => NativeLibrary.TryGetExport(Library, name, out nint address) ? address : 0;

    private static string? Text(byte* text) => Marshal.PtrToStringUTF8((nint)text);

    private static byte[] ZeroTerminated(string text) => Encoding.UTF8.GetBytes(text + "\0");
}
