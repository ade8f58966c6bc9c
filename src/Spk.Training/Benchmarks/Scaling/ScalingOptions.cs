using Spk.Interop;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>What to vary, and how long to measure.</summary>
public sealed record ScalingOptions
{
    /// <summary>Prefixes of the names of the axes wanted; none for all.</summary>
    public IReadOnlyList<string> Axes { get; init; } = [];

    /// <summary><c>cpu</c>, <c>cuda</c>, <c>cuda:N</c> or <c>auto</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Threads of the CPU where they are not varied; 0 for all processors.</summary>
    public int Threads { get; init; }

    /// <summary>Time for each size, in seconds, after a warm-up of as long.</summary>
    public double Budget { get; init; } = 0.5;

    /// <summary>Most sizes of an axis, from the smallest; 0 for all.</summary>
    public int Points { get; init; }

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidOptionException">An axis is unknown, a time is not positive, or there would be one point only.</exception>
    public void Validate()
    {
        if (Budget is not (> 0 and <= 3600))
        {
            throw new InvalidOptionException($"The time for a size is {Budget} s: use more than 0 and at most 3600.");
        }

        if (Points is < 0 or 1)
        {
            throw new InvalidOptionException($"{Points} sizes of an axis: use at least 2, or 0 for all.");
        }

        foreach (string name in Axes)
        {
            if (!ScalingCatalog.Axes.Any(a => a.Name.StartsWith(name, StringComparison.Ordinal)))
            {
                throw new InvalidOptionException($"No axis starts with '{name}': `spk bench scaling --list` shows them.");
            }
        }
    }
}
