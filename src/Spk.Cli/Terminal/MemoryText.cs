using Spk.Engine.Devices;
using Spk.Training.PseudoLabelling;

namespace Spk.Cli.Terminal;

/// <summary>What clustering needs of memory, said before it is taken.</summary>
internal static class MemoryText
{
    /// <summary>One line.</summary>
    /// <param name="memory">What is needed.</param>
    /// <param name="purpose">"to …".</param>
    public static string Of(ClusteringMemory memory, string purpose)
    {
        string device = memory.Device > 0 ? $" and {MebiBytes(memory.Device)} MiB on the device" : "";
        return $"needs about {MebiBytes(memory.Host)} MiB of host memory{device} {purpose}";
    }

    /// <summary>Warns where there is not so much.</summary>
    public static void WarnIfShort(ClusteringMemory memory, Device device, CommandContext context)
    {
        long host = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (memory.Host > host)
        {
            context.Error.WriteLine($"warning: this machine has {MebiBytes(host)} MiB of memory: use fewer rows, columns or clusters, or another method.");
        }

        if (device.Memory.Free is { } free && memory.Device > free)
        {
            context.Error.WriteLine($"warning: only {MebiBytes(free)} MiB are free on {device.Name}: use --device cpu, or fewer rows, columns or clusters.");
        }
    }

    private static long MebiBytes(long bytes) => (bytes + (1 << 20) - 1) >> 20;
}
