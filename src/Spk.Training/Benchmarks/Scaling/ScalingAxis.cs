using Spk.Engine.Devices;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>Work whose size is varied while everything else stays.</summary>
/// <param name="Name">Name: the work and what is varied.</param>
/// <param name="Summary">What is timed, with the sizes that stay.</param>
/// <param name="SizeName">What is varied, as an axis of a plot names it.</param>
/// <param name="Sizes">The sizes, rising; the first few are small.</param>
/// <param name="Make">Makes the case of a size on a device, which owns its memory.</param>
internal sealed record ScalingAxis(string Name, string Summary, string SizeName, IReadOnlyList<int> Sizes, Func<Device, int, BenchmarkCase> Make)
{
    /// <summary>Whether the size is the number of CPU threads.</summary>
    public bool VariesThreads { get; init; }
}
