namespace Spk.Training.Benchmarks;

/// <summary>One timed call.</summary>
/// <param name="Name">Name, which is also that of the same work in the peers' scripts where they have it.</param>
/// <param name="Sizes">What the time depends on, in the order of reading; named as in the peers' scripts.</param>
/// <param name="Unit">Unit of work per second.</param>
/// <param name="Work">Work of one call, in the unit.</param>
/// <param name="Run">The call. It may leave work queued on the device.</param>
internal sealed record BenchmarkCase(string Name, IReadOnlyList<CaseSize> Sizes, string Unit, double Work, Action Run)
{
    /// <summary>Bytes of memory that must be moved at least; 0 where nobody counted.</summary>
    public double Bytes { get; init; }

    /// <summary>Floating-point operations; 0 where nobody counted.</summary>
    public double Operations { get; init; }

    /// <summary>What is freed after the last case of the group, ahead of the device.</summary>
    public IDisposable? Owned { get; init; }
}

/// <summary>A named size of a case.</summary>
/// <param name="Name">Name, such as <c>batch</c> or <c>M</c>.</param>
/// <param name="Value">Value.</param>
public readonly record struct CaseSize(string Name, double Value)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Name} {Value}");
}
