using Spk.Engine.Devices;

namespace Spk.Training.Recipes;

/// <summary>How long to train, in what batches and from what seed.</summary>
public sealed record TrainingSection
{
    /// <summary>Seed of initial weights, order, crops and augmentation.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Passes over the corpus.</summary>
    public int Epochs { get; init; } = 24;

    /// <summary>Utterances of a batch; each contributes <c>data.views</c> crops. The rest of an epoch that fills no batch is dropped.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Arithmetic of matrix products on a GPU; the CPU has <see cref="Precision.Fp32"/> only.</summary>
    public Precision Precision { get; init; }

    /// <summary>Stops after so many steps, with the schedules unchanged; 0 for no limit.</summary>
    public int MaximumSteps { get; init; }

    /// <summary>Stops after so many epochs, with the schedules unchanged, for another run to go on from; 0 for no limit.</summary>
    public int StopAfterEpochs { get; init; }

    /// <summary>Writes a checkpoint every so many steps, besides the one of every epoch; 0 for epochs only.</summary>
    public int CheckpointEverySteps { get; init; }
}

/// <summary>What is evaluated while training.</summary>
public sealed record EvaluationSection
{
    /// <summary>Trial list, relative to data.root; used by <see cref="EveryEpochs"/> and at the end of <c>spk demo</c>.</summary>
    public string Trials { get; init; } = "trials.txt";

    /// <summary>Scores the trial list before training, every so many epochs and after the last; 0 for never. Never used to choose anything.</summary>
    public int EveryEpochs { get; init; }

    /// <summary>Scores the development speakers every so many epochs, where <c>data.devSpeakers</c> is above 0.</summary>
    public int DevEveryEpochs { get; init; } = 1;

    /// <summary>Most development trials of each kind, target and non-target.</summary>
    public int DevPairs { get; init; } = 2000;

    /// <summary>Ends training after so many development evaluations without a lower EER; 0 for never.</summary>
    public int Patience { get; init; }
}
