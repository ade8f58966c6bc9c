using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>Options of <see cref="GaussianMixture"/>.</summary>
public sealed record GaussianMixtureOptions
{
    /// <summary>Most rounds of expectation and maximization, 1 or more.</summary>
    public int MaximumIterations { get; init; } = 100;

    /// <summary>Ends once the mean log-likelihood of a row rises by less than this (nats), 0 or more; 0 runs all rounds.</summary>
    public double Tolerance { get; init; } = 1e-3;

    /// <summary>Least variance of a component, as a share (0, 1] of the variance of all rows in the same dimension.</summary>
    public double VarianceFloor { get; init; } = 1e-3;

    /// <summary>Threads; 0 for one per processor. The result does not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="InvalidOptionException">A value is out of range; the message names it.</exception>
    public void Validate()
    {
        if (MaximumIterations < 1)
        {
            throw new InvalidOptionException($"maximumIterations = {MaximumIterations}: allowed are 1 or more.");
        }

        if (!(Tolerance >= 0))
        {
            throw new InvalidOptionException($"tolerance = {Tolerance}: allowed are 0 or more.");
        }

        if (!(VarianceFloor is > 0 and <= 1))
        {
            throw new InvalidOptionException($"varianceFloor = {VarianceFloor}: allowed are numbers above 0 and up to 1.");
        }
    }
}

/// <summary>State of a Gaussian mixture after a round.</summary>
/// <param name="Iteration">Rounds done, from 1.</param>
/// <param name="LogLikelihood">Mean log-likelihood of a row in nats, under the parameters before the round's update.</param>
public readonly record struct GaussianMixtureProgress(int Iteration, double LogLikelihood);
