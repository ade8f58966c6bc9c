using Spk.Interop;
using Spk.Interop.Cuda;

namespace Spk.Engine.Devices.Cuda;

/// <summary>Where the binaries of kernels come from.</summary>
internal sealed class KernelImages(CudaDriver driver)
{
    // The emulator has all kernels linked in: any image will do.
    private static readonly byte[] Emulated = [0];

    /// <summary>The binary of a source file for the present device.</summary>
    /// <param name="source">File under engine/kernels without extension.</param>
    public ReadOnlySpan<byte> Get(string source) =>
        driver.IsEmulator ? Emulated : throw new DeviceUnavailableException($"There is no binary of kernel file {source} for this device.");
}
