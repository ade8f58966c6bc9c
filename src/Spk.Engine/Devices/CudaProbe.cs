using System.Runtime.InteropServices;
using System.Text;

namespace Spk.Engine.Devices;

/// <summary>Looks for the NVIDIA driver library and says in words what it found.</summary>
public static class CudaProbe
{
    /// <summary>Tries every usual name of the driver library.</summary>
    /// <returns>One line per library tried, and whether any could be loaded.</returns>
    public static (bool Found, IReadOnlyList<string> Trace) Run()
    {
        string[] names = OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1", "libcuda.so"];
        var trace = new List<string>();
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out nint handle))
            {
                NativeLibrary.Free(handle);
                trace.Add($"{name}: found");
                return (true, trace);
            }

            trace.Add($"{name}: not found");
        }

        return (false, trace);
    }

    internal static string Explain(string requested)
    {
        (bool found, var trace) = Run();
        var text = new StringBuilder($"Device '{requested}' cannot be used: ");
        text.Append(string.Join("; ", trace)).Append(". ");
        text.Append(found
            ? "The driver is there, but this version has no CUDA engine yet: use --device cpu."
            : "Install the NVIDIA display driver, or use --device cpu.");
        return text.ToString();
    }
}
