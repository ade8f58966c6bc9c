using Spk.Engine.Devices;

namespace Spk.Engine.Ops;

/// <summary>Picks the CPU side of an op.</summary>
internal static class Cpu
{
    /// <summary>The device as a CPU, or a clear failure for a device that the op has no implementation for.</summary>
    public static CpuDevice Of(Device device) =>
        device as CpuDevice ?? throw new NotSupportedException($"This op has no implementation for {device.Name}.");
}
