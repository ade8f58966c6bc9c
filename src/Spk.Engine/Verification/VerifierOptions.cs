using Spk.Engine.Alignment;
using Spk.Engine.Scoring;
using Spk.Interop;

namespace Spk.Engine.Verification;

/// <summary>Settings of a <see cref="SpeakerVerifier"/>.</summary>
public sealed record VerifierOptions
{
    /// <summary><c>auto</c>, <c>cpu</c> or <c>cuda[:n]</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>
    /// Recordings that are embedded at the same time, each by a copy of the model of its own; 0 is one per processor on the CPU and one on
    /// a GPU. Further callers wait for their turn.
    /// </summary>
    public int Contexts { get; init; }

    /// <summary>CPU threads of each context; 1 is best for many callers, more is faster for one.</summary>
    public int ThreadsPerContext { get; init; } = 1;

    /// <summary>Decision threshold and log-likelihood ratios; null looks for calibration.json in the model's folder.</summary>
    public Calibration? Calibration { get; init; }

    /// <summary>
    /// Makes profiles of another model comparable with this model's embeddings: an aligner of exactly these two. Profiles are then read and never
    /// written. Null for profiles of this model.
    /// </summary>
    public Aligner? Aligner { get; init; }

    /// <summary>Longer recordings are embedded in windows of this many seconds, 1 to 600, and the windows' embeddings averaged.</summary>
    public double WindowSeconds { get; init; } = 20;

    /// <summary>Shorter recordings are refused, seconds; 0 or more.</summary>
    public double MinimumSeconds { get; init; } = 0.5;

    /// <summary>Recordings of a lower root mean square are refused as silent, decibels relative to full scale, at most 0.</summary>
    public double SilenceDecibels { get; init; } = -60;

    /// <summary>Recordings with a larger share of samples at or beyond full scale are refused as clipped, a fraction of (0, 1].</summary>
    public double MaximumClipped { get; init; } = 0.02;

    internal void Validate()
    {
        Require(Contexts is >= 0 and <= 1024, nameof(Contexts), Contexts, "0 (one per processor) to 1024");
        Require(ThreadsPerContext is >= 0 and <= 1024, nameof(ThreadsPerContext), ThreadsPerContext, "0 (one per processor) to 1024");
        Require(WindowSeconds is >= 1 and <= 600, nameof(WindowSeconds), WindowSeconds, "1 to 600 seconds");
        Require(MinimumSeconds >= 0 && MinimumSeconds <= WindowSeconds, nameof(MinimumSeconds), MinimumSeconds, $"0 to {nameof(WindowSeconds)}, {WindowSeconds} seconds");
        Require(SilenceDecibels <= 0, nameof(SilenceDecibels), SilenceDecibels, "0 or less");
        Require(MaximumClipped is > 0 and <= 1, nameof(MaximumClipped), MaximumClipped, "a fraction above 0, at most 1");
    }

    private static void Require<T>(bool holds, string name, T value, string allowed)
    {
        if (!holds)
        {
            throw new InvalidOptionException(FormattableString.Invariant($"verifier option {name} = {value}: allowed is {allowed}."));
        }
    }
}
