using NUnit.Framework;
using Spk.Engine.Devices.Cuda;
using Spk.Interop.Cuda;

namespace Spk.Tests.Cuda;

/// <summary>
/// The NVRTC versions that kernels must pass: 11.8, the oldest supported (<c>SPK_NVRTC_11</c> or libnvrtc.so.11.2), and 12 or later, which
/// knows Hopper's own instructions (<c>SPK_NVRTC_12</c>, libnvrtc.so.12 or libnvrtc.so.13).
/// </summary>
internal static class Compilers
{
    private static readonly Lazy<KernelCompiler?> OldestCompiler = new(() => Find("SPK_NVRTC_11", "libnvrtc.so.11.2", "nvrtc64_112_0.dll"));

    private static readonly Lazy<KernelCompiler?> RecentCompiler = new(() => Find("SPK_NVRTC_12", "libnvrtc.so.12", "libnvrtc.so.13", "nvrtc64_120_0.dll"));

    public static KernelCompiler Oldest() => OldestCompiler.Value ?? Skip("skipped: NVRTC 11.8 was not found (Debian: libnvrtc11.2)");

    public static KernelCompiler Recent() => RecentCompiler.Value ?? Skip("skipped, optional: NVRTC 12 or later was not found (Debian: libnvrtc12; or name it in SPK_NVRTC_12)");

    /// <summary>Any of them, for tests that do not care.</summary>
    public static KernelCompiler Any() => OldestCompiler.Value ?? RecentCompiler.Value ?? Skip("skipped: NVRTC was not found (Debian: libnvrtc11.2)");

    private static KernelCompiler? Find(string variable, params string[] names)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } only)
        {
            return new KernelCompiler(Nvrtc.Load(only));
        }

        foreach (string name in names)
        {
            try
            {
                return new KernelCompiler(Nvrtc.Load(name));
            }
            catch (DllNotFoundException)
            {
            }
        }

        return null;
    }

    private static KernelCompiler Skip(string reason)
    {
        Assert.Ignore(reason);
        throw new InvalidOperationException();
    }
}
