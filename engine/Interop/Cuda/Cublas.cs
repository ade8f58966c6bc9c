using System.Runtime.InteropServices;

namespace Spk.Interop.Cuda;

/// <summary>
/// The few functions of cuBLAS that this project may use for plain matrix products, bound at run time. Everything works without it.
/// Matrices are column-major, as cuBLAS has them. Calls only queue work and allocate nothing.
/// </summary>
public sealed unsafe class Cublas
{
    /// <summary>Environment variable that names the library to use instead of searching.</summary>
    public const string OverrideVariable = "SPK_CUBLAS";

    private const string LibraryName = "cuBLAS";

    private static readonly string[] Names = OperatingSystem.IsWindows()
        ? ["cublas64_13.dll", "cublas64_12.dll", "cublas64_11.dll"]
        : ["libcublas.so.13", "libcublas.so.12", "libcublas.so.11"];

    private readonly delegate* unmanaged<nint*, int> _create;
    private readonly delegate* unmanaged<nint, int> _destroy;
    private readonly delegate* unmanaged<nint, nint, int> _setStream;
    private readonly delegate* unmanaged<nint, ulong, nuint, int> _setWorkspace;
    private readonly delegate* unmanaged<nint, int, int> _setMathMode;
    private readonly delegate* unmanaged<nint, int, int, int, int, int, float*, ulong, int, ulong, int, float*, ulong, int, int> _sgemm;
    private readonly delegate* unmanaged<nint, int, int, int, int, int, void*, ulong, int, int, ulong, int, int, void*, ulong, int, int, int, int, int> _gemm;
    private readonly delegate* unmanaged<
        nint, int, int, int, int, int, void*, ulong, int, int, long, ulong, int, int, long, void*, ulong, int, int, long, int, int, int, int> _gemmBatched;
    private readonly delegate* unmanaged<int, byte*> _statusName;

    private Cublas(string path, nint library)
    {
        Path = path;
        _create = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "cublasCreate_v2");
        _destroy = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "cublasDestroy_v2");
        _setStream = (delegate* unmanaged<nint, nint, int>)NativeLibrary.GetExport(library, "cublasSetStream_v2");
        _setWorkspace = (delegate* unmanaged<nint, ulong, nuint, int>)NativeLibrary.GetExport(library, "cublasSetWorkspace_v2");
        _setMathMode = (delegate* unmanaged<nint, int, int>)NativeLibrary.GetExport(library, "cublasSetMathMode");
        _sgemm = (delegate* unmanaged<nint, int, int, int, int, int, float*, ulong, int, ulong, int, float*, ulong, int, int>)
            NativeLibrary.GetExport(library, "cublasSgemm_v2");
        _gemm = (delegate* unmanaged<nint, int, int, int, int, int, void*, ulong, int, int, ulong, int, int, void*, ulong, int, int, int, int, int>)
            NativeLibrary.GetExport(library, "cublasGemmEx");
        _gemmBatched = (delegate* unmanaged<
            nint, int, int, int, int, int, void*, ulong, int, int, long, ulong, int, int, long, void*, ulong, int, int, long, int, int, int, int>)
            NativeLibrary.GetExport(library, "cublasGemmStridedBatchedEx");
        _statusName = NativeLibrary.TryGetExport(library, "cublasGetStatusName", out nint name) ? (delegate* unmanaged<int, byte*>)name : null;
    }

    /// <summary>Where the library was found.</summary>
    public string Path { get; }

    /// <summary>Finds a cuBLAS library that fits a driver; the emulator brings its own or none.</summary>
    /// <param name="driver">The driver it is to work with, or null to look without one.</param>
    /// <param name="trace">Gets one line on each library tried.</param>
    /// <returns>The library, or null.</returns>
    public static Cublas? Find(CudaDriver? driver, ICollection<string> trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        var candidates = driver is { IsEmulator: true } ? [driver.Path] : LibrarySearch.Candidates(OverrideVariable, Names);
        foreach (string path in candidates)
        {
            nint library = LibrarySearch.TryLoad(path, trace);
            if (library == 0)
            {
                continue;
            }

            try
            {
                var found = new Cublas(path, library);
                trace.Add($"{path}: found");
                return found;
            }
            catch (EntryPointNotFoundException)
            {
                trace.Add($"{path}: lacks functions of cuBLAS 11");
            }
        }

        return null;
    }

    /// <summary>Creates cuBLAS's state for the current context.</summary>
    public CublasHandle Create()
    {
        nint handle;
        Check(_create(&handle), "cublasCreate");
        return new CublasHandle(handle);
    }

    /// <summary>Destroys the state.</summary>
    /// <param name="handle">From <see cref="Create"/>.</param>
    public void Destroy(CublasHandle handle) => Check(_destroy(handle.Value), "cublasDestroy");

    /// <summary>Makes later calls queue on a stream; resets the workspace to cuBLAS's own.</summary>
    /// <param name="handle">The state.</param>
    /// <param name="stream">The queue.</param>
    public void SetStream(CublasHandle handle, CudaStream stream) => Check(_setStream(handle.Value, stream.Value), "cublasSetStream");

    /// <summary>Gives cuBLAS memory, so that it allocates none of its own; needed while a stream is recorded.</summary>
    /// <param name="handle">The state.</param>
    /// <param name="address">Device memory, aligned to 256 bytes.</param>
    /// <param name="bytes">Its size.</param>
    public void SetWorkspace(CublasHandle handle, nint address, long bytes) =>
        Check(_setWorkspace(handle.Value, (ulong)address, (nuint)bytes), "cublasSetWorkspace");

    /// <summary>Sets how f32 products are computed.</summary>
    /// <param name="handle">The state.</param>
    /// <param name="mode">The mode.</param>
    public void SetMathMode(CublasHandle handle, CublasMath mode) => Check(_setMathMode(handle.Value, (int)mode), "cublasSetMathMode");

    /// <summary>C = alpha · A · B + beta · C in f32, A m × k and B k × n after transposing where asked.</summary>
    /// <param name="handle">The state.</param>
    /// <param name="transposeA">Whether A is stored k × m.</param>
    /// <param name="transposeB">Whether B is stored n × k.</param>
    /// <param name="shape">Rows of C, columns of C, and the length of the sums.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="a">First factor; its element type is not looked at.</param>
    /// <param name="b">Second factor.</param>
    /// <param name="beta">Factor of what C holds; 0 does not read it.</param>
    /// <param name="c">Result.</param>
    public void Sgemm(
        CublasHandle handle, bool transposeA, bool transposeB, (int M, int N, int K) shape, float alpha, in CublasMatrix a, in CublasMatrix b, float beta, in CublasMatrix c) =>
        Check(
            _sgemm(
                handle.Value, transposeA ? 1 : 0, transposeB ? 1 : 0, shape.M, shape.N, shape.K, &alpha, (ulong)a.Address, a.LeadingDimension,
                (ulong)b.Address, b.LeadingDimension, &beta, (ulong)c.Address, c.LeadingDimension),
            "cublasSgemm");

    /// <summary>As <see cref="Sgemm"/> for matrices of any element type, summed in f32.</summary>
    /// <param name="handle">The state.</param>
    /// <param name="transposeA">Whether A is stored k × m.</param>
    /// <param name="transposeB">Whether B is stored n × k.</param>
    /// <param name="shape">Rows of C, columns of C, and the length of the sums.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="a">First factor.</param>
    /// <param name="b">Second factor, of the same type.</param>
    /// <param name="beta">Factor of what C holds; 0 does not read it.</param>
    /// <param name="c">Result.</param>
    /// <param name="compute">How products are computed.</param>
    public void Gemm(
        CublasHandle handle, bool transposeA, bool transposeB, (int M, int N, int K) shape, float alpha, in CublasMatrix a, in CublasMatrix b, float beta,
        in CublasMatrix c, CublasCompute compute) =>
        Check(
            _gemm(
                handle.Value, transposeA ? 1 : 0, transposeB ? 1 : 0, shape.M, shape.N, shape.K, &alpha, (ulong)a.Address, (int)a.Type, a.LeadingDimension,
                (ulong)b.Address, (int)b.Type, b.LeadingDimension, &beta, (ulong)c.Address, (int)c.Type, c.LeadingDimension, (int)compute, -1),
            "cublasGemmEx");

    /// <summary>As <see cref="Gemm"/> for many products of one shape, whose matrices lie a fixed distance apart.</summary>
    /// <param name="handle">The state.</param>
    /// <param name="transposeA">Whether each A is stored k × m.</param>
    /// <param name="transposeB">Whether each B is stored n × k.</param>
    /// <param name="shape">Rows of C, columns of C, and the length of the sums.</param>
    /// <param name="alpha">Factor of the products.</param>
    /// <param name="a">First factors.</param>
    /// <param name="b">Second factors, of the same type.</param>
    /// <param name="beta">Factor of what C holds; 0 does not read it.</param>
    /// <param name="c">Results.</param>
    /// <param name="batch">Number of products.</param>
    /// <param name="compute">How products are computed.</param>
    public void GemmStridedBatched(
        CublasHandle handle, bool transposeA, bool transposeB, (int M, int N, int K) shape, float alpha, in CublasMatrix a, in CublasMatrix b, float beta,
        in CublasMatrix c, int batch, CublasCompute compute) =>
        Check(
            _gemmBatched(
                handle.Value, transposeA ? 1 : 0, transposeB ? 1 : 0, shape.M, shape.N, shape.K, &alpha, (ulong)a.Address, (int)a.Type, a.LeadingDimension, a.Stride,
                (ulong)b.Address, (int)b.Type, b.LeadingDimension, b.Stride, &beta, (ulong)c.Address, (int)c.Type, c.LeadingDimension, c.Stride, batch, (int)compute, -1),
            "cublasGemmStridedBatchedEx");

    private void Check(int status, string call)
    {
        if (status != 0)
        {
            string name = (_statusName == null ? null : Marshal.PtrToStringUTF8((nint)_statusName(status))) ?? "an error status";
            throw new CudaException(LibraryName, call, status, name, "see the name of the status");
        }
    }
}
