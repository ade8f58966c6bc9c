using System.Runtime.InteropServices;
using Spk.Interop.Cuda;

namespace Spk.Interop.Nccl;

/// <summary>
/// The few functions of NVIDIA's NCCL that data-parallel training on GPUs calls, bound at run time. Collective calls only queue work on a stream and
/// may be part of a recording; all processes make the same ones in the same order.
/// </summary>
/// <remarks>See https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/api.html.</remarks>
public sealed unsafe class NcclLibrary
{
    /// <summary>Environment variable that names the library to use instead of searching.</summary>
    public const string OverrideVariable = "SPK_NCCL";

    private const string LibraryName = "NCCL";

    // ncclFloat32 of ncclDataType_t and ncclAvg of ncclRedOp_t.
    private const int Float = 7, Average = 4;

    // 2.10, the first with averages. Versions are 10,000 × major + 100 × minor + patch from 2.9 on.
    private const int OldestVersion = 21000;

    private static readonly string[] Names = ["libnccl.so.2", "libnccl.so"];

    private readonly delegate* unmanaged<NcclUniqueId*, int> _getUniqueId;
    private readonly delegate* unmanaged<nint*, int, NcclUniqueId, int, int> _initRank;
    private readonly delegate* unmanaged<ulong, ulong, nuint, int, int, nint, nint, int> _allReduce;
    private readonly delegate* unmanaged<ulong, ulong, nuint, int, nint, nint, int> _allGather;
    private readonly delegate* unmanaged<nint, int*, int> _getAsyncError;
    private readonly delegate* unmanaged<nint, int> _abort;
    private readonly delegate* unmanaged<nint, int> _destroy;
    private readonly delegate* unmanaged<int, byte*> _getErrorString;
    private readonly delegate* unmanaged<nint, byte*> _getLastError;

    private NcclLibrary(string path, nint library)
    {
        Path = path;
        _getErrorString = (delegate* unmanaged<int, byte*>)NativeLibrary.GetExport(library, "ncclGetErrorString");
        _getUniqueId = (delegate* unmanaged<NcclUniqueId*, int>)NativeLibrary.GetExport(library, "ncclGetUniqueId");
        _initRank = (delegate* unmanaged<nint*, int, NcclUniqueId, int, int>)NativeLibrary.GetExport(library, "ncclCommInitRank");
        _allReduce = (delegate* unmanaged<ulong, ulong, nuint, int, int, nint, nint, int>)NativeLibrary.GetExport(library, "ncclAllReduce");
        _allGather = (delegate* unmanaged<ulong, ulong, nuint, int, nint, nint, int>)NativeLibrary.GetExport(library, "ncclAllGather");
        _getAsyncError = (delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "ncclCommGetAsyncError");
        _abort = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "ncclCommAbort");
        _destroy = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "ncclCommDestroy");

        // From 2.13 on it says more than the status does.
        _getLastError = NativeLibrary.TryGetExport(library, "ncclGetLastError", out nint last) ? (delegate* unmanaged<nint, byte*>)last : null;
        var getVersion = (delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "ncclGetVersion");
        int version;
        Check(getVersion(&version), "ncclGetVersion");
        Version = version;
    }

    /// <summary>Where the library was found.</summary>
    public string Path { get; }

    /// <summary>Its version, 22105 for 2.21.5.</summary>
    public int Version { get; }

    /// <summary>Finds a library that is new enough; the emulator brings its own.</summary>
    /// <param name="driver">The driver it is to work with, or null to look without one.</param>
    /// <param name="trace">Gets one line on each library tried.</param>
    /// <returns>The library, or null.</returns>
    public static NcclLibrary? Find(CudaDriver? driver, ICollection<string> trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        string? named = Environment.GetEnvironmentVariable(OverrideVariable);
        bool own = driver is { IsEmulator: true } && string.IsNullOrEmpty(named);
        foreach (string path in own ? [driver!.Path] : LibrarySearch.Candidates(OverrideVariable, Names))
        {
            nint library = LibrarySearch.TryLoad(path, trace);
            if (library == 0)
            {
                continue;
            }

            try
            {
                var found = new NcclLibrary(path, library);
                bool fits = found.Version >= OldestVersion;
                trace.Add(fits ? $"{path}: version {found.Version}" : $"{path}: version {found.Version} is older than {OldestVersion}");
                if (fits)
                {
                    return found;
                }
            }
            catch (EntryPointNotFoundException)
            {
                trace.Add($"{path}: not NCCL");
            }
            catch (CudaException e)
            {
                trace.Add($"{path}: {e.Message}");
            }
        }

        return null;
    }

    /// <summary>Finds the library that fits a driver.</summary>
    /// <param name="driver">The driver it is to work with.</param>
    /// <returns>The library.</returns>
    /// <exception cref="DeviceUnavailableException">There is none, or it is too old; the message holds everything that was tried.</exception>
    public static NcclLibrary Load(CudaDriver driver)
    {
        ArgumentNullException.ThrowIfNull(driver);
        List<string> trace = [];
        return Find(driver, trace) ?? throw new DeviceUnavailableException(
            $"NCCL, by which processes on GPUs train together, cannot be used ({string.Join("; ", trace)}): install libnccl2, name the library in {OverrideVariable}, use --device cpu, or start one process.");
    }

    /// <summary>Makes the identity of a new group of processes; one of them makes it and tells the others.</summary>
    public NcclUniqueId CreateUniqueId()
    {
        NcclUniqueId id;
        Check(_getUniqueId(&id), "ncclGetUniqueId");
        return id;
    }

    /// <summary>Joins a group with the current context's device; returns when all have joined.</summary>
    /// <param name="id">The group's identity.</param>
    /// <param name="rank">This process's number in it.</param>
    /// <param name="ranks">Processes in it.</param>
    /// <returns>The handle of the group.</returns>
    public nint Join(NcclUniqueId id, int rank, int ranks)
    {
        nint group;
        Check(_initRank(&group, ranks, id, rank), "ncclCommInitRank");
        return group;
    }

    /// <summary>Queues putting the average over all processes in the place of each process's values.</summary>
    /// <param name="group">The group.</param>
    /// <param name="address">f32 values on the device.</param>
    /// <param name="count">How many.</param>
    /// <param name="stream">The queue.</param>
    public void AverageInPlace(nint group, nint address, long count, CudaStream stream) =>
        Check(_allReduce((ulong)address, (ulong)address, (nuint)count, Float, Average, group, stream.Value), "ncclAllReduce");

    /// <summary>Queues giving every process the values of all.</summary>
    /// <param name="group">The group.</param>
    /// <param name="own">f32 values on the device.</param>
    /// <param name="count">How many.</param>
    /// <param name="all">Where those of rank 0 go, then those of rank 1, and so on.</param>
    /// <param name="stream">The queue.</param>
    public void Gather(nint group, nint own, long count, nint all, CudaStream stream) =>
        Check(_allGather((ulong)own, (ulong)all, (nuint)count, Float, group, stream.Value), "ncclAllGather");

    /// <summary>Throws where something went wrong in work that was queued before.</summary>
    /// <param name="group">The group.</param>
    public void CheckQueued(nint group)
    {
        int status;
        Check(_getAsyncError(group, &status), "ncclCommGetAsyncError");
        Check(status, "a collective call");
    }

    /// <summary>Gives up what is queued and leaves the group, whatever the others do. Any thread may call it.</summary>
    /// <param name="group">The group.</param>
    public void Abort(nint group) => _ = _abort(group);

    /// <summary>Leaves the group when the work of this process is done.</summary>
    /// <param name="group">The group.</param>
    public void Leave(nint group) => Check(_destroy(group), "ncclCommDestroy");

    private void Check(int status, string call)
    {
        if (status != 0)
        {
            string? more = _getLastError == null ? null : Marshal.PtrToStringUTF8((nint)_getLastError(0));
            throw new CudaException(
                LibraryName, call, status, Marshal.PtrToStringUTF8((nint)_getErrorString(status)) ?? "an error status",
                string.IsNullOrWhiteSpace(more) ? "NCCL_DEBUG=WARN shows more" : more.Trim().TrimEnd('.'));
        }
    }
}
