using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Training.Benchmarks;

/// <summary>What to time, and how long.</summary>
public sealed record BenchmarkOptions
{
    /// <summary>What the keys of the cases wanted start with (<see cref="BenchmarkResult.Key"/>): names, or names with sizes; none for all.</summary>
    public IReadOnlyList<string> Cases { get; init; } = [];

    /// <summary><c>cpu</c>, <c>cuda</c>, <c>cuda:N</c> or <c>auto</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Threads of the CPU; 0 for all processors.</summary>
    public int Threads { get; init; }

    /// <summary>Arithmetic of products to time.</summary>
    public IReadOnlyList<Precision> Precisions { get; init; } = [Precision.Fp32];

    /// <summary>Time for each case, in seconds, after a warm-up of as long but at most two seconds, and the first time in a process until the runtime compiles nothing
    /// more.</summary>
    public double Budget { get; init; } = 1;

    /// <summary>Whether caches are emptied before each call, as they are where a call is part of a long step.</summary>
    public bool Cold { get; init; }

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidOptionException">A case is unknown, or a time is not positive.</exception>
    public void Validate()
    {
        if (Budget is not (> 0 and <= 3600))
        {
            throw new InvalidOptionException($"The time for a case is {Budget} s: use more than 0 and at most 3600.");
        }

        foreach (string name in Cases)
        {
            if (!BenchmarkCatalog.GroupsOf([name]).Any())
            {
                throw new InvalidOptionException($"No benchmark's name starts with '{name}': `spk bench --list` shows them.");
            }
        }
    }
}
