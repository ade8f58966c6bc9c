using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Training.Benchmarks;

/// <summary>What a result depends on beside the code: the machine, its runtime, the day. No names of machines or folders.</summary>
public static class MachineDescription
{
    /// <summary>Describes the machine, in the order of reading.</summary>
    /// <param name="device">The device that is measured.</param>
    /// <param name="ceilings">What it can do at most; null where unknown.</param>
    public static IReadOnlyDictionary<string, string> Of(Device device, MachineCeilings? ceilings)
    {
        ArgumentNullException.ThrowIfNull(device);
        var facts = new Dictionary<string, string> { ["device"] = device.Name };
        if (device is CpuDevice cpu)
        {
            facts["threads"] = cpu.Threads.ToString(CultureInfo.InvariantCulture);
        }
        else
        {
            // The GPUs; where the driver, compilers and binaries were found are paths of a machine.
            foreach (var finding in CudaProbe.Report().Where(f => f.Name.StartsWith("cuda:", StringComparison.Ordinal)))
            {
                facts[finding.Name] = finding.Value;
            }
        }

        facts["processor"] = string.Create(CultureInfo.InvariantCulture, $"{Processor()}, {Environment.ProcessorCount} logical processors");
        if (Caches() is { Length: > 0 } caches)
        {
            facts["caches"] = caches;
        }

        facts["vectors"] = string.Create(CultureInfo.InvariantCulture, $"{(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128)} bits");
        facts["memory"] = string.Create(CultureInfo.InvariantCulture, $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30):F1} GiB");
        facts["system"] = $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}";
        facts["runtime"] = RuntimeInformation.FrameworkDescription;
        facts["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        if (ceilings is not null)
        {
            facts["at most"] = ceilings.ToString();
        }

        return facts;
    }

    private static string Processor()
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        if (File.Exists("/proc/cpuinfo"))
        {
            foreach (string line in File.ReadLines("/proc/cpuinfo").TakeWhile(l => l.Length > 0))
            {
                string[] pair = line.Split(':', 2, StringSplitOptions.TrimEntries);
                fields[pair[0]] = pair[^1];
            }
        }

        // Some virtual machines hide the model's number; family and model still tell the generation.
        string name = fields.GetValueOrDefault("model name") ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
        return fields.TryGetValue("cpu family", out string? family) ? $"{name} (family {family}, model {fields.GetValueOrDefault("model")})" : name;
    }

    private static string Caches()
    {
        const string folder = "/sys/devices/system/cpu/cpu0/cache";
        if (!Directory.Exists(folder))
        {
            return "";
        }

        try
        {
            return string.Join(", ", Directory.EnumerateDirectories(folder, "index*").Order(StringComparer.Ordinal)
                .Select(index => (Level: Text(index, "level"), Kind: Text(index, "type"), Size: Text(index, "size")))
                .Where(c => c.Kind != "Instruction").Select(c => $"level {c.Level} {c.Size}"));
        }
        catch (IOException)
        {
            return "";
        }

        static string Text(string index, string name) => File.ReadAllText(Path.Combine(index, name)).Trim();
    }
}
