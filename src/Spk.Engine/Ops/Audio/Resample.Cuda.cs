using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Audio;

public static partial class Resample
{
    private const int CudaWarps = 8, CudaWarp = 32;

    private static readonly KernelId ForwardKernel = new("audio/resample", "resample_forward");

    private static void CudaForward(CudaDevice cuda, PhaseTables tables, Tensor waves, Tensor y)
    {
        var weights = cuda.TablesFor(tables, static (device, tables) => device.Persist(tables.Weights));
        int outputs = y.Shape[1];
        cuda.Launch(
            ForwardKernel, new LaunchShape((outputs + CudaWarps - 1) / CudaWarps, CudaWarps * CudaWarp, y.Shape[0]), waves.Address, waves.RowStride,
            waves.Shape[1], weights.Address, tables.From, tables.To, tables.Half, tables.Taps, y.Address, outputs);
    }
}
