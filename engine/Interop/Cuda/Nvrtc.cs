using System.Runtime.InteropServices;
using System.Text;

namespace Spk.Interop.Cuda;

/// <summary>
/// NVIDIA's run-time compiler: CUDA C++ to a binary for one architecture, from memory to memory. Bound at run time, since most
/// machines have no toolkit. Instances are thread-safe; separate compilations run in parallel.
/// </summary>
public sealed unsafe class Nvrtc
{
    /// <summary>Environment variable that names the library to use instead of searching.</summary>
    public const string OverrideVariable = "SPK_NVRTC";

    private const string LibraryName = "NVRTC";

    private static readonly string[] Names = OperatingSystem.IsWindows()
        ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"]
        : ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"];

    private readonly delegate* unmanaged<int, byte*> _getErrorString;
    private readonly delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int> _createProgram;
    private readonly delegate* unmanaged<nint*, int> _destroyProgram;
    private readonly delegate* unmanaged<nint, int, byte**, int> _compileProgram;
    private readonly delegate* unmanaged<nint, nuint*, int> _getLogSize;
    private readonly delegate* unmanaged<nint, byte*, int> _getLog;
    private readonly delegate* unmanaged<nint, nuint*, int> _getCubinSize;
    private readonly delegate* unmanaged<nint, byte*, int> _getCubin;
    private readonly delegate* unmanaged<nint, nuint*, int> _getPtxSize;
    private readonly delegate* unmanaged<nint, byte*, int> _getPtx;

    private Nvrtc(string path, nint library)
    {
        Path = path;
        _getErrorString = (delegate* unmanaged<int, byte*>)NativeLibrary.GetExport(library, "nvrtcGetErrorString");
        _createProgram = (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)NativeLibrary.GetExport(library, "nvrtcCreateProgram");
        _destroyProgram = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "nvrtcDestroyProgram");
        _compileProgram = (delegate* unmanaged<nint, int, byte**, int>)NativeLibrary.GetExport(library, "nvrtcCompileProgram");
        _getLogSize = (delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(library, "nvrtcGetProgramLogSize");
        _getLog = (delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(library, "nvrtcGetProgramLog");
        _getCubinSize = (delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(library, "nvrtcGetCUBINSize");
        _getCubin = (delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(library, "nvrtcGetCUBIN");
        _getPtxSize = (delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(library, "nvrtcGetPTXSize");
        _getPtx = (delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(library, "nvrtcGetPTX");

        int major, minor;
        var version = (delegate* unmanaged<int*, int*, int>)NativeLibrary.GetExport(library, "nvrtcVersion");
        Check(version(&major, &minor), "nvrtcVersion");
        Version = new Version(major, minor);
        Architectures = SupportedArchitectures(library);
        LoadBuiltins();
    }

    /// <summary>Where the library was found.</summary>
    public string Path { get; }

    /// <summary>The toolkit's version it belongs to, such as 12.4.</summary>
    public Version Version { get; }

    /// <summary>Architectures it knows, as 10 × major + minor of the compute capability, ascending.</summary>
    public IReadOnlyList<int> Architectures { get; }

    /// <summary>Binds a library.</summary>
    /// <param name="path">File name or path, as for the system's loader.</param>
    /// <returns>The compiler.</returns>
    /// <exception cref="DllNotFoundException">There is no such library.</exception>
    /// <exception cref="EntryPointNotFoundException">It lacks a function; it is too old.</exception>
    public static Nvrtc Load(string path) => new(path, NativeLibrary.Load(path));

    /// <summary>
    /// Finds the newest library whose major version is not above the driver's: what a newer toolkit writes, an older driver may not load.
    /// </summary>
    /// <param name="newestMajor">Major number of the driver's CUDA version.</param>
    /// <param name="trace">Gets one line on each library tried.</param>
    /// <returns>The compiler, or null.</returns>
    public static Nvrtc? Find(int newestMajor, ICollection<string> trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        foreach (string path in LibrarySearch.Candidates(OverrideVariable, Names))
        {
            nint library = LibrarySearch.TryLoad(path, trace);
            if (library == 0)
            {
                continue;
            }

            try
            {
                var found = new Nvrtc(path, library);
                if (found.Version.Major <= newestMajor)
                {
                    trace.Add($"{path}: NVRTC {found.Version}");
                    return found;
                }

                trace.Add($"{path}: NVRTC {found.Version} is too new, CUDA {newestMajor} is wanted at most");
            }
            catch (EntryPointNotFoundException e)
            {
                trace.Add($"{path}: too old ({e.Message})");
            }
        }

        return null;
    }

    /// <summary>Compiles a source. A binary comes out for <c>sm_XX</c>, only PTX for <c>compute_XX</c>.</summary>
    /// <param name="source">The source's text.</param>
    /// <param name="name">What to call it in messages, such as "encoder/batch_norm.cu".</param>
    /// <param name="options">Options as on nvcc's command line, for example <c>--gpu-architecture=sm_90</c>.</param>
    /// <param name="headers">Texts by the names they are included by; nothing is read from the disk.</param>
    /// <returns>Binary, PTX and the compiler's log.</returns>
    /// <exception cref="CudaException">The source or an option is refused; the message holds the log.</exception>
    public NvrtcOutput Compile(string source, string name, IReadOnlyList<string> options, IReadOnlyDictionary<string, string> headers)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(headers);
        using var texts = new NativeTexts();
        byte** optionTexts = texts.Add(options);
        byte** headerTexts = texts.Add([.. headers.Values]);
        byte** headerNames = texts.Add([.. headers.Keys]);
        nint program;
        Check(_createProgram(&program, texts.Add(source), texts.Add(name), headers.Count, headerTexts, headerNames), $"nvrtcCreateProgram of {name}");
        try
        {
            int status = _compileProgram(program, options.Count, optionTexts);
            string log = Encoding.UTF8.GetString(Get(program, _getLogSize, _getLog)).Replace("\0", "", StringComparison.Ordinal).Trim();
            if (status != 0)
            {
                throw Failure(status, $"nvrtcCompileProgram of {name}", log.Length > 0 ? WithoutStatistics(log).TrimEnd('.') : "there is no log");
            }

            return new NvrtcOutput(Get(program, _getCubinSize, _getCubin), Get(program, _getPtxSize, _getPtx), log);
        }
        finally
        {
            Check(_destroyProgram(&program), "nvrtcDestroyProgram");
        }
    }

    // The assembler's lines on kernels that are fine would bury the one on the kernel that is not.
    private static string WithoutStatistics(string log) => string.Join('\n', log.Split('\n').Where(line =>
        !line.StartsWith("ptxas info", StringComparison.Ordinal) && !line.StartsWith("ptxas         .", StringComparison.Ordinal)));

    private byte[] Get(nint program, delegate* unmanaged<nint, nuint*, int> size, delegate* unmanaged<nint, byte*, int> content)
    {
        // A size that is refused means that this compilation made no such output.
        nuint bytes;
        if (size(program, &bytes) != 0 || bytes == 0)
        {
            return [];
        }

        byte[] result = new byte[bytes];
        fixed (byte* pointer = result)
        {
            Check(content(program, pointer), "reading the output");
        }

        return result;
    }

    private int[] SupportedArchitectures(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "nvrtcGetNumSupportedArchs", out nint getCount)
            || !NativeLibrary.TryGetExport(library, "nvrtcGetSupportedArchs", out nint get))
        {
            throw new EntryPointNotFoundException("nvrtcGetSupportedArchs");
        }

        int count;
        Check(((delegate* unmanaged<int*, int>)getCount)(&count), "nvrtcGetNumSupportedArchs");
        int[] architectures = new int[count];
        fixed (int* pointer = architectures)
        {
            Check(((delegate* unmanaged<int*, int>)get)(pointer), "nvrtcGetSupportedArchs");
        }

        Array.Sort(architectures);
        return architectures;
    }

    // NVRTC opens its builtins by name. Outside the loader's path that fails at the first compilation with a status that explains
    // nothing, so a library that was loaded by path brings them from its own folder.
    private void LoadBuiltins()
    {
        if (System.IO.Path.GetDirectoryName(Path) is { Length: > 0 } folder)
        {
            string name = OperatingSystem.IsWindows()
                ? $"nvrtc-builtins64_{Version.Major}{Version.Minor}.dll"
                : $"libnvrtc-builtins.so.{Version.Major}.{Version.Minor}";
            NativeLibrary.TryLoad(System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, name)), out _);
        }
    }

    private void Check(int status, string call)
    {
        if (status != 0)
        {
            throw Failure(status, call, "see the name of the status");
        }
    }

    private CudaException Failure(int status, string call, string text) =>
        new(LibraryName, call, status, Marshal.PtrToStringUTF8((nint)_getErrorString(status)) ?? "an unknown status", text);

    /// <summary>Zero-terminated copies of strings outside the managed heap, freed together.</summary>
    private sealed class NativeTexts : IDisposable
    {
        private readonly List<nint> _blocks = [];

        public byte* Add(string text)
        {
            nint block = Marshal.StringToCoTaskMemUTF8(text);
            _blocks.Add(block);
            return (byte*)block;
        }

        public byte** Add(IReadOnlyList<string> texts)
        {
            nint block = Marshal.AllocCoTaskMem(Math.Max(1, texts.Count) * sizeof(byte*));
            _blocks.Add(block);
            byte** pointers = (byte**)block;
            for (int i = 0; i < texts.Count; i++)
            {
                pointers[i] = Add(texts[i]);
            }

            return pointers;
        }

        public void Dispose() => _blocks.ForEach(Marshal.FreeCoTaskMem);
    }
}
