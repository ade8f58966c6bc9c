using Spk.Engine.Audio;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Audio;

public static partial class CropGather
{
    private const int CudaThreads = 256, CudaOutputs = 1024;

    private static readonly KernelId ForwardKernel = new("audio/crop_gather", "crop_gather_forward");

    private static void CudaForward(CudaDevice cuda, PcmSource source, ReadOnlySpan<CropRequest> crops, Tensor waves)
    {
        int samples = waves.Shape[1];
        var staging = StagingOf(cuda);
        nint rows = staging.Arrive(source, crops, samples);
        cuda.Launch(
            ForwardKernel, new LaunchShape((samples + CudaOutputs - 1) / CudaOutputs, CudaThreads, crops.Length), rows, waves.Address, samples);
        staging.Release();
    }

    private static CropStaging StagingOf(CudaDevice cuda) => cuda.TablesFor(ForwardKernel, static (device, _) => new CropStaging(device));
}
