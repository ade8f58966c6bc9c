using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Numerics;

/// <summary>The matrix product of <see cref="Gemm"/> on a GPU, over the same views; engine/kernels/encoder/mat_mul.cu.</summary>
internal static unsafe class CudaGemm
{
    private const string Source = "encoder/mat_mul";
    private const int TileM = 128, TileN = 64, TileK = 32, Threads = 256;
    private const int SharedBytes = 2 * sizeof(float) * ((TileM * (TileK + 4)) + (TileN * (TileK + 4)));

    // Enough blocks for a large GPU, but no part shorter than what a tile costs to start. Depends on the shape only.
    private const int WantedBlocks = 264, ShortestPart = 256;

    // Indexed by precision, then by how A's and B's views lie: rows along k (n) or across it (t).
    private static readonly KernelId[] Kernels =
    [
        Kernel("fp32_nn"), Kernel("fp32_nt"), Kernel("fp32_tn"), Kernel("fp32_tt"),
        Kernel("tf32_nn"), Kernel("tf32_nt"), Kernel("tf32_tn"), Kernel("tf32_tt"),
        Kernel("bf16_nn"), Kernel("bf16_nt"), Kernel("bf16_tn"), Kernel("bf16_tt"),
    ];

    private static readonly KernelId AddSplitsKernel = new(Source, "mat_mul_add_splits");

    /// <summary>C (+)= A·B + bias, in the device's <see cref="Device.Precision"/>.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="a">[M, K].</param>
    /// <param name="b">[K, N].</param>
    /// <param name="c">Where to write, M rows of N elements.</param>
    /// <param name="rowStride">Elements from row to row of c.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="bias">N elements added to every row, or null.</param>
    public static void Multiply(CudaDevice cuda, MatrixView a, MatrixView b, float* c, int rowStride, bool accumulate, float* bias = null)
    {
        int m = a.Height, n = b.Width, k = a.Width;
        if (m == 0 || n == 0)
        {
            return;
        }

        // B's kernels read it as [N, K]: its view lies along k where it is a transposed one.
        var kernel = Kernels[(4 * (int)cuda.Precision) + (a.IsTransposed ? 2 : 0) + (b.IsTransposed ? 0 : 1)];
        int tiles = DivideUp(m, TileM) * DivideUp(n, TileN);
        int parts = Math.Clamp(WantedBlocks / tiles, 1, Math.Max(1, k / ShortestPart));
        int each = DivideUp(DivideUp(k, parts), TileK) * TileK;
        parts = Math.Max(1, DivideUp(k, each));
        var shape = new LaunchShape(DivideUp(m, TileM), Threads, DivideUp(n, TileN), parts, SharedBytes: SharedBytes);
        var (first, second) = (KernelArgument.Structure(&a), KernelArgument.Structure(&b));
        if (parts == 1)
        {
            cuda.Launch(kernel, shape, first, second, c, rowStride, m, n, k, bias, accumulate ? 1 : 0, each);
            return;
        }

        var sums = cuda.Workspace.Rent(new Shape(parts, m, n));
        cuda.Launch(kernel, shape, first, second, sums.Address, n, m, n, k, (nint)0, 0, each);
        int blocks = (int)((((long)m * n) + Threads - 1) / Threads);
        cuda.Launch(AddSplitsKernel, new LaunchShape(blocks, Threads), sums.Address, parts, c, rowStride, m, n, bias, accumulate ? 1 : 0);
    }

    private static KernelId Kernel(string suffix) => new(Source, "mat_mul_" + suffix, SharedBytes);

    private static int DivideUp(int value, int by) => (value + by - 1) / by;
}
