using System.Runtime.InteropServices;
using Spk.Interop.Cuda;

namespace Spk.Tests.Support;

/// <summary>Where the build leaves the CUDA emulator, and its switches.</summary>
public static unsafe class EmulatorSettings
{
    public static string LibraryPath => Path.Combine(Repository.Root, "artifacts", "emulator", "libspk-cuda-emulator.so");

    /// <summary>Whether a driver is the emulator and has switches.</summary>
    public static bool IsEmulator(CudaDriver driver) => NativeLibrary.TryGetExport(driver.Library, "spkEmulatorConfigure", out _);

    /// <summary>Changes a switch: "order" 0 ascending, 1 descending, 2 shuffled; the others are in engine/emulator/README.md.</summary>
    public static void Set(CudaDriver driver, string name, int value)
    {
        var configure = (delegate* unmanaged<byte*, int, int>)NativeLibrary.GetExport(driver.Library, "spkEmulatorConfigure");
        fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(name + "\0"))
        {
            int status = configure(text, value);
            if (status != 0)
            {
                throw new InvalidOperationException($"The emulator knows no switch '{name}'.");
            }
        }
    }
}
