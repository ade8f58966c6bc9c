using Spk.Engine.Devices;

namespace Spk.Training.Benchmarks;

/// <summary>Cases on the same tensors, made when one of them is wanted.</summary>
/// <param name="Prefix">What the names of all its cases start with.</param>
/// <param name="Summary">What is timed, for the list.</param>
/// <param name="Make">Makes the cases on a device, which owns their memory.</param>
internal sealed record BenchmarkGroup(string Prefix, string Summary, Func<Device, IReadOnlyList<BenchmarkCase>> Make)
{
    /// <summary>Whether the device's precision changes what is computed.</summary>
    public bool HasProducts { get; init; } = true;

    /// <summary>Whether a CPU would take too long for it.</summary>
    public bool NeedsGpu { get; init; }
}
