using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Optim;

public static unsafe partial class GradientNorm
{
    private const string CudaSource = "optim/gradient_norm";
    private const int CudaThreads = 256;

    private static readonly KernelId SquaresKernel = new(CudaSource, "gradient_norm_squares");
    private static readonly KernelId AddKernel = new(CudaSource, "gradient_norm_add");
    private static readonly KernelId ScaleKernel = new(CudaSource, "gradient_norm_scale");

    private static double CudaCompute(CudaDevice cuda, Tensor gradients)
    {
        int chunks = Math.Max(1, FlatChunks.Count(gradients.Count));
        // f64 numbers in the place of two f32 ones each: the sums of the chunks, and their total.
        var sums = cuda.Workspace.Rent(new Shape(2 * (chunks + 1)));
        nint total = sums.Address + ((nint)chunks * sizeof(double));
        cuda.Launch(SquaresKernel, new LaunchShape(chunks, CudaThreads), gradients.Address, gradients.Count, FlatChunks.Length, sums.Address);
        cuda.Launch(AddKernel, new LaunchShape(1, CudaThreads), sums.Address, chunks, total);
        double result;
        cuda.Download(&result, total, sizeof(double));
        return Math.Sqrt(result);
    }

    private static void CudaScale(CudaDevice cuda, Tensor gradients, float factor) =>
        cuda.Launch(ScaleKernel, new LaunchShape((gradients.Count + CudaThreads - 1) / CudaThreads, CudaThreads), gradients.Address, gradients.Count, factor);
}
