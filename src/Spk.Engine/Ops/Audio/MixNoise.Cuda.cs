using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Audio;

public static partial class MixNoise
{
    private const int CudaThreads = 512;

    private static readonly KernelId ApplyKernel = new("audio/mix_noise", "mix_noise_apply");

    private static void CudaApply(CudaDevice cuda, Tensor waves, Tensor noise, ReadOnlySpan<float> snrDb)
    {
        if (waves.Count == 0)
        {
            return;
        }

        var ratios = cuda.RentCopy(snrDb);
        cuda.Launch(
            ApplyKernel, new LaunchShape(waves.Shape[0], CudaThreads), waves.Address, waves.RowStride, noise.Address, noise.RowStride, ratios.Address,
            waves.Shape[1], LevelFloor);
    }
}
