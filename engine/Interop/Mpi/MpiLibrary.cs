using System.Runtime.InteropServices;
using Spk.Interop.Cuda;

namespace Spk.Interop.Mpi;

/// <summary>
/// The few MPI functions that data-parallel training calls, bound at run time from Open MPI's library. One call at a time, from any thread.
/// </summary>
/// <remarks>
/// Handles such as the world communicator are addresses of exported objects in Open MPI's binary interface (versions 1.7 to 5), which other
/// implementations do not share. The functions are those of the MPI 3.1 standard, chapters 5 and 8.
/// </remarks>
public sealed unsafe class MpiLibrary : IDisposable
{
    /// <summary>Environment variable that names the library's file, where it is none of the usual ones.</summary>
    public const string OverrideVariable = "SPK_MPI";

    // Of the standard: calls come from one thread at a time.
    private const int ThreadSerialized = 2;

    // MPI_IN_PLACE of Open MPI.
    private const nint InPlace = 1;

    private static readonly string[] Names = OperatingSystem.IsMacOS() ? ["libmpi.40.dylib", "libmpi.dylib"] : ["libmpi.so.40", "libmpi.so"];

    private readonly delegate* unmanaged<void*, void*, int, nint, nint, nint, int> _allReduce;
    private readonly delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int> _allGather;
    private readonly delegate* unmanaged<nint, int, int> _abort;
    private readonly delegate* unmanaged<int> _finalize;
    private readonly nint _world, _float, _byte, _long, _sum, _least;

    private MpiLibrary(nint library)
    {
        _allReduce = (delegate* unmanaged<void*, void*, int, nint, nint, nint, int>)NativeLibrary.GetExport(library, "MPI_Allreduce");
        _allGather = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int>)NativeLibrary.GetExport(library, "MPI_Allgather");
        _abort = (delegate* unmanaged<nint, int, int>)NativeLibrary.GetExport(library, "MPI_Abort");
        _finalize = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "MPI_Finalize");
        _world = NativeLibrary.GetExport(library, "ompi_mpi_comm_world");
        _float = NativeLibrary.GetExport(library, "ompi_mpi_float");
        _byte = NativeLibrary.GetExport(library, "ompi_mpi_byte");
        _long = NativeLibrary.GetExport(library, "ompi_mpi_int64_t");
        _sum = NativeLibrary.GetExport(library, "ompi_mpi_op_sum");
        _least = NativeLibrary.GetExport(library, "ompi_mpi_op_min");
        var initialize = (delegate* unmanaged<void*, void*, int, int*, int>)NativeLibrary.GetExport(library, "MPI_Init_thread");
        var rankOf = (delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "MPI_Comm_rank");
        var sizeOf = (delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "MPI_Comm_size");
        int provided, rank, ranks;
        Check(initialize(null, null, ThreadSerialized, &provided), "MPI_Init_thread");
        if (provided < ThreadSerialized)
        {
            throw new DeviceUnavailableException("Open MPI was built without threads: use a build with them, such as Debian's openmpi-bin.");
        }

        Check(rankOf(_world, &rank), "MPI_Comm_rank");
        Check(sizeOf(_world, &ranks), "MPI_Comm_size");
        (Rank, Ranks) = (rank, ranks);
    }

    /// <summary>This process's number, from 0.</summary>
    public int Rank { get; }

    /// <summary>Number of processes.</summary>
    public int Ranks { get; }

    /// <summary>Number of processes that <c>mpirun</c> started this one among; 1 where it was started otherwise.</summary>
    public static int LaunchedRanks =>
        int.TryParse(Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_SIZE"), out int ranks) && ranks > 0 ? ranks : 1;

    /// <summary>This process's number among them, from 0, as known before anything is loaded.</summary>
    public static int LaunchedRank => LaunchedRanks > 1 && int.TryParse(Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_RANK"), out int rank) ? rank : 0;

    /// <summary>This process's number among those on its machine, from 0: which of the machine's GPUs it takes.</summary>
    public static int LaunchedLocalRank =>
        LaunchedRanks > 1 && int.TryParse(Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_LOCAL_RANK"), out int rank) ? rank : 0;

    /// <summary>Looks for the library without initialising it.</summary>
    /// <param name="trace">Gets one line on each library tried.</param>
    /// <returns>Whether there is one.</returns>
    public static bool IsInstalled(ICollection<string> trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        return Find(trace) != 0;
    }

    /// <summary>Loads and initialises it; once a process.</summary>
    /// <returns>The library; dispose it at the end.</returns>
    /// <exception cref="DeviceUnavailableException">There is no Open MPI, or it could not be initialised.</exception>
    public static MpiLibrary Load()
    {
        List<string> trace = [];
        nint library = Find(trace);
        try
        {
            if (library != 0)
            {
                return new MpiLibrary(library);
            }
        }
        catch (EntryPointNotFoundException e)
        {
            trace.Add($"a function is missing ({e.Message.Split('\n')[0].TrimEnd('.')})");
        }

        throw new DeviceUnavailableException(
            $"mpirun started {LaunchedRanks} processes, but Open MPI's library was not found ({string.Join("; ", trace)}): install openmpi-bin, or name the library in {OverrideVariable}.");
    }

    /// <summary>Puts the sum over all processes in the place of each process's values.</summary>
    /// <param name="values">As many on all processes.</param>
    public void Sum(Span<float> values)
    {
        fixed (float* at = values)
        {
            Check(_allReduce((void*)InPlace, at, values.Length, _float, _sum, _world), "MPI_Allreduce");
        }
    }

    /// <summary>Gives every process the values of all.</summary>
    /// <param name="own">As many on all processes.</param>
    /// <param name="all">Those of rank 0, then those of rank 1, and so on.</param>
    /// <exception cref="ShapeException">There is no room for exactly these.</exception>
    public void Gather(ReadOnlySpan<float> own, Span<float> all) => Gather(own, all, _float);

    /// <inheritdoc cref="Gather(ReadOnlySpan{float}, Span{float})"/>
    public void Gather(ReadOnlySpan<byte> own, Span<byte> all) => Gather(own, all, _byte);

    /// <summary>The least of the values that the processes bring.</summary>
    /// <param name="value">What this process brings.</param>
    /// <returns>The same on all processes.</returns>
    public long Least(long value)
    {
        Check(_allReduce((void*)InPlace, &value, 1, _long, _least, _world), "MPI_Allreduce");
        return value;
    }

    /// <summary>Ends all processes at once, this one too.</summary>
    /// <param name="exitCode">Their exit code.</param>
    public void Abort(int exitCode) => _ = _abort(_world, exitCode);

    /// <summary>Waits for the other processes to come here, too, and leaves the library.</summary>
    public void Dispose() => Check(_finalize(), "MPI_Finalize");

    // Told from other implementations of MPI by an object that only Open MPI exports.
    private static nint Find(ICollection<string> trace)
    {
        foreach (string name in Environment.GetEnvironmentVariable(OverrideVariable) is { Length: > 0 } only ? [only] : Names)
        {
            nint library = LibrarySearch.TryLoad(name, trace);
            if (library == 0)
            {
                continue;
            }

            bool fits = NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out _);
            trace.Add($"{name}: {(fits ? "found" : "not Open MPI")}");
            if (fits)
            {
                return library;
            }
        }

        return 0;
    }

    private void Gather<T>(ReadOnlySpan<T> own, Span<T> all, nint type) where T : unmanaged
    {
        if (all.Length != (long)own.Length * Ranks)
        {
            throw new ShapeException($"{Ranks} processes have {own.Length} values each, not {all.Length} in all.");
        }

        fixed (T* from = own)
        fixed (T* to = all)
        {
            Check(_allGather(from, own.Length, type, to, own.Length, type, _world), "MPI_Allgather");
        }
    }

    private static void Check(int status, string call)
    {
        if (status != 0)
        {
            throw new DeviceUnavailableException($"{call} failed with status {status}: another process may have ended.");
        }
    }
}
