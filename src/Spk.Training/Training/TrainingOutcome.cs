namespace Spk.Training;

/// <summary>Why training ended.</summary>
public enum TrainingEnd
{
    /// <summary>All epochs are done.</summary>
    Completed,

    /// <summary>The development EER has not improved for <c>evaluation.patience</c> evaluations.</summary>
    EarlyStopped,

    /// <summary><c>training.maximumSteps</c> or <c>training.stopAfterEpochs</c> is reached.</summary>
    StepLimit,

    /// <summary>Cancellation was asked for; a checkpoint was written first.</summary>
    Cancelled,
}

/// <summary>How a training ended.</summary>
/// <param name="End">Why.</param>
/// <param name="Step">Steps done, those of earlier processes included.</param>
/// <param name="Epochs">Whole epochs done.</param>
/// <param name="Loss">Mean loss of the last epoch as far as this process saw it; NaN where it made no step.</param>
/// <param name="UtterancesPerSecond">Mean speed of this process, evaluation excluded.</param>
/// <param name="BestEer">Lowest development EER, a fraction; null without development speakers.</param>
/// <param name="BestStep">Step of the lowest development EER.</param>
public sealed record TrainingOutcome(TrainingEnd End, long Step, int Epochs, float Loss, double UtterancesPerSecond, double? BestEer, long BestStep);

/// <summary>What to do where the run folder holds a run already.</summary>
public enum ResumeMode
{
    /// <summary>Go on with it if there is one, else start.</summary>
    Auto,

    /// <summary>Go on with it; it is an error if there is none.</summary>
    Required,

    /// <summary>Start anew and replace it.</summary>
    Restart,
}
