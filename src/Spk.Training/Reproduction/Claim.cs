namespace Spk.Training.Reproduction;

/// <summary>Two systems that a claim compares.</summary>
/// <param name="System">The system that the claim is about.</param>
/// <param name="Than">The system it is compared with.</param>
public readonly record struct ClaimPair(string System, string Than);

/// <summary>Something a paper says that figures can contradict.</summary>
public sealed record Claim
{
    private Claim(string statement, Measure measure, bool lower, IReadOnlyList<string> systems, IReadOnlyList<string> than, double limit, bool gain = false) =>
        (Statement, Measure, IsLower, Systems, Than, Limit, IsGain) = (statement, measure, lower, systems, than, limit, gain);

    /// <summary>The claim in words.</summary>
    public string Statement { get; }

    /// <summary>What is measured.</summary>
    public Measure Measure { get; }

    /// <summary>Whether the measure is claimed to be lower than what it is compared with, rather than higher.</summary>
    public bool IsLower { get; }

    /// <summary>The system that the claim is about, or several of which the mean counts.</summary>
    public IReadOnlyList<string> Systems { get; }

    /// <summary>What each of them is compared with, one by one; empty for a claim about a limit.</summary>
    public IReadOnlyList<string> Than { get; }

    /// <summary>The limit of a claim without other systems.</summary>
    public double Limit { get; }

    /// <summary>Whether it is about a limit rather than other systems.</summary>
    public bool HasLimit => Than.Count == 0;

    /// <summary>Whether it is about the recovered gain of an alignment (<see cref="Evaluation.RecoveredGain"/>) in the measure.</summary>
    public bool IsGain { get; }

    /// <summary>A system measures lower than another.</summary>
    /// <param name="measure">What is measured.</param>
    /// <param name="system">The system.</param>
    /// <param name="than">The other.</param>
    /// <param name="statement">The claim in words.</param>
    public static Claim Lower(Measure measure, string system, string than, string statement) => new(statement, measure, true, [system], [than], 0);

    /// <summary>Several systems measure lower, in the mean, than those they are compared with.</summary>
    /// <param name="measure">What is measured.</param>
    /// <param name="pairs">What is compared with what; one or more.</param>
    /// <param name="statement">The claim in words.</param>
    public static Claim Lower(Measure measure, IEnumerable<ClaimPair> pairs, string statement)
    {
        ClaimPair[] all = [.. pairs];
        return new(statement, measure, true, [.. all.Select(p => p.System)], [.. all.Select(p => p.Than)], 0);
    }

    /// <summary>A system measures higher than another.</summary>
    /// <inheritdoc cref="Lower(Measure, string, string, string)" path="/param"/>
    public static Claim Higher(Measure measure, string system, string than, string statement) => new(statement, measure, false, [system], [than], 0);

    /// <summary>A quantity of a system lies below a limit.</summary>
    /// <param name="measure">What is measured.</param>
    /// <param name="system">The system.</param>
    /// <param name="limit">The limit.</param>
    /// <param name="statement">The claim in words.</param>
    public static Claim Below(Measure measure, string system, double limit, string statement) => new(statement, measure, true, [system], [], limit);

    /// <summary>A quantity of a system lies above a limit.</summary>
    /// <inheritdoc cref="Below" path="/param"/>
    public static Claim Above(Measure measure, string system, double limit, string statement) => new(statement, measure, false, [system], [], limit);

    /// <summary>An alignment recovers more of the gain of its runtime system over its enrolment system than a share.</summary>
    /// <param name="measure">An error rate of scores.</param>
    /// <param name="system">The alignment.</param>
    /// <param name="share">The share, a fraction.</param>
    /// <param name="statement">The claim in words.</param>
    public static Claim Recovers(Measure measure, string system, double share, string statement) => new(statement, measure, false, [system], [], share, gain: true);
}
