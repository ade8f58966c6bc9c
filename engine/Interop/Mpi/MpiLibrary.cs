using System.Runtime.InteropServices;

namespace Spk.Interop.Mpi;

/// <summary>
/// The few MPI functions that data-parallel training calls, bound at run time from Open MPI's library. Call them from one thread, the
/// one that loaded the library.
/// </summary>
/// <remarks>
/// Handles such as the world communicator are addresses of exported objects in Open MPI's binary interface, which other
/// implementations do not share. See the MPI 3.1 standard, chapters 5 and 8.
/// </remarks>
public sealed unsafe class MpiLibrary : IDisposable
{
    /// <summary>Names the library's file, where it is none of the usual ones.</summary>
    public const string OverrideVariable = "SPK_MPI";

    private const int ThreadFunneled = 1, RootRank = 0;

    // MPI_IN_PLACE of Open MPI.
    private const nint InPlace = 1;

    private static readonly string[] Names = ["libmpi.so.40", "libmpi.so", "libmpi.dylib"];

    private readonly delegate* unmanaged<void*, void*, int, nint, nint, nint, int> _allReduce;
    private readonly delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int> _allGather;
    private readonly delegate* unmanaged<void*, int, nint, int, nint, int> _broadcast;
    private readonly delegate* unmanaged<nint, int, int> _abort;
    private readonly delegate* unmanaged<int> _finalize;
    private readonly nint _world, _float, _long, _sum;

    private MpiLibrary(nint library, string path)
    {
        Path = path;
        _allReduce = (delegate* unmanaged<void*, void*, int, nint, nint, nint, int>)NativeLibrary.GetExport(library, "MPI_Allreduce");
        _allGather = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int>)NativeLibrary.GetExport(library, "MPI_Allgather");
        _broadcast = (delegate* unmanaged<void*, int, nint, int, nint, int>)NativeLibrary.GetExport(library, "MPI_Bcast");
        _abort = (delegate* unmanaged<nint, int, int>)NativeLibrary.GetExport(library, "MPI_Abort");
        _finalize = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "MPI_Finalize");
        _world = NativeLibrary.GetExport(library, "ompi_mpi_comm_world");
        _float = NativeLibrary.GetExport(library, "ompi_mpi_float");
        _long = NativeLibrary.GetExport(library, "ompi_mpi_int64_t");
        _sum = NativeLibrary.GetExport(library, "ompi_mpi_op_sum");
        int provided;
        Check(((delegate* unmanaged<void*, void*, int, int*, int>)NativeLibrary.GetExport(library, "MPI_Init_thread"))(null, null, ThreadFunneled, &provided), "MPI_Init_thread");
        int rank, ranks;
        Check(((delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "MPI_Comm_rank"))(_world, &rank), "MPI_Comm_rank");
        Check(((delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "MPI_Comm_size"))(_world, &ranks), "MPI_Comm_size");
        (Rank, Ranks) = (rank, ranks);
    }

    /// <summary>Where the library was found.</summary>
    public string Path { get; }

    /// <summary>This process's number, from 0.</summary>
    public int Rank { get; }

    /// <summary>Number of processes.</summary>
    public int Ranks { get; }

    /// <summary>Number of processes that <c>mpirun</c> started this one among; 1 where it was started otherwise.</summary>
    public static int LaunchedRanks =>
        int.TryParse(Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_SIZE"), out int ranks) && ranks > 0 ? ranks : 1;

    /// <summary>Loads and initialises it; once a process.</summary>
    /// <returns>The library; dispose it at the end.</returns>
    /// <exception cref="DeviceUnavailableException">There is no Open MPI, or it could not be initialised.</exception>
    public static MpiLibrary Load()
    {
        string[] candidates = Environment.GetEnvironmentVariable(OverrideVariable) is { Length: > 0 } only ? [only] : Names;
        foreach (string name in candidates)
        {
            if (NativeLibrary.TryLoad(name, out nint library))
            {
                try
                {
                    return new MpiLibrary(library, name);
                }
                catch (EntryPointNotFoundException e)
                {
                    throw new DeviceUnavailableException($"{name} is not Open MPI, or too old ({e.Message.TrimEnd('.')}): install openmpi-bin, or name its library in {OverrideVariable}.", e);
                }
            }
        }

        throw new DeviceUnavailableException($"Open MPI was not found ({string.Join(", ", candidates)}): install openmpi-bin, or name its library in {OverrideVariable}.");
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
    public void Gather(ReadOnlySpan<float> own, Span<float> all)
    {
        if (all.Length != own.Length * Ranks)
        {
            throw new ShapeException($"{Ranks} processes have {own.Length} values each, not {all.Length} in all.");
        }

        fixed (float* from = own)
        fixed (float* to = all)
        {
            Check(_allGather(from, own.Length, _float, to, own.Length, _float, _world), "MPI_Allgather");
        }
    }

    /// <summary>Gives every process a value of rank 0.</summary>
    /// <param name="value">What rank 0 says; ignored elsewhere.</param>
    /// <returns>What rank 0 said.</returns>
    public long Broadcast(long value)
    {
        Check(_broadcast(&value, 1, _long, RootRank, _world), "MPI_Bcast");
        return value;
    }

    /// <summary>Ends all processes at once.</summary>
    /// <param name="exitCode">Their exit code.</param>
    public void Abort(int exitCode) => _ = _abort(_world, exitCode);

    /// <summary>Waits for the other processes to come here, too, and leaves the library.</summary>
    public void Dispose() => Check(_finalize(), "MPI_Finalize");

    private static void Check(int status, string call)
    {
        if (status != 0)
        {
            throw new DeviceUnavailableException($"{call} failed with status {status}: another process may have ended.");
        }
    }
}
