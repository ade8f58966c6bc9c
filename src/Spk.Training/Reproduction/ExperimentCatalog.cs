using Spk.Interop;
using Spk.Training.Reproduction.Experiments;

namespace Spk.Training.Reproduction;

/// <summary>The experiments that come with the library.</summary>
public static class ExperimentCatalog
{
    /// <summary>All of them, in the order of <c>spk reproduce --list</c>.</summary>
    public static IReadOnlyList<Experiment> All { get; } =
    [
        NtXentMargins.Experiment, MomentumContrast.Experiment, SelfDistillation.Experiment, SspsOnChannels.Experiment, DialoguePretraining.Experiment, DialogueContamination.Experiment,
        PseudoLabelStudy.Experiment, HeadsUnderNoise.Experiment, AsymmetricEnrolment.Experiment,
    ];

    /// <summary>Finds an experiment.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="InvalidOptionException">There is none; the message lists those there are.</exception>
    public static Experiment Find(string name) => All.FirstOrDefault(e => e.Name == name)
        ?? throw new InvalidOptionException($"There is no experiment '{name}'; there are {string.Join(", ", All.Select(e => e.Name))}.");
}
