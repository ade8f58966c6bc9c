namespace Spk.Training;

/// <summary>Where a run stands; one is made after every step. A value type, so that reporting allocates nothing.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="Steps">Steps of the whole run.</param>
/// <param name="Epoch">The epoch this step belongs to, from 1.</param>
/// <param name="Epochs">Epochs of the whole run.</param>
/// <param name="Loss">Training loss of this step.</param>
/// <param name="EpochLoss">Mean loss of the epoch so far.</param>
/// <param name="UtterancesPerSecond">Training speed since this process started or resumed, recent steps weighing more; evaluation is not counted.</param>
/// <param name="DataShare">Share of the step spent reading, cropping and augmenting audio, 0 to 1.</param>
/// <param name="DeviceBytes">Memory held on the device, bytes.</param>
/// <param name="Remaining">Estimated time to the end of training.</param>
public readonly record struct TrainingStatus(
    long Step,
    long Steps,
    int Epoch,
    int Epochs,
    float Loss,
    float EpochLoss,
    double UtterancesPerSecond,
    double DataShare,
    long DeviceBytes,
    TimeSpan Remaining);

/// <summary>A verification result seen during training.</summary>
/// <param name="Step">Steps done; 0 before training.</param>
/// <param name="Epoch">Epochs done.</param>
/// <param name="Trials">"development" (held-back training speakers) or the trial list's file name.</param>
/// <param name="Eer">Equal error rate, a fraction.</param>
/// <param name="MinDcf">Minimum detection cost at a target prior of 0.01.</param>
/// <param name="IsBest">Whether the development EER is the lowest so far.</param>
public readonly record struct TrainingEvaluation(long Step, int Epoch, string Trials, double Eer, double MinDcf, bool IsBest);

/// <summary>Figures of an epoch that not every objective has, such as those of SSPS.</summary>
/// <param name="Epoch">Epochs done.</param>
/// <param name="Figures">Name in the log, and value; NaN where it is not known.</param>
public sealed record TrainingEpoch(int Epoch, IReadOnlyList<(string Name, double Value)> Figures);

/// <summary>Facts known before the first step.</summary>
/// <param name="Utterances">Training utterances.</param>
/// <param name="Speakers">Speakers that the manifest names for them; 0 where it names none.</param>
/// <param name="Parameters">Trained scalars of the encoder and the objective together.</param>
/// <param name="BatchesPerEpoch">Steps of one epoch.</param>
/// <param name="Steps">Steps of the whole run.</param>
/// <param name="FirstStep">Steps done already: 0, or more where the run resumes.</param>
/// <param name="Device">Name of the device.</param>
/// <param name="RunFolder">Where everything is written.</param>
public sealed record TrainingStart(
    int Utterances,
    int Speakers,
    long Parameters,
    int BatchesPerEpoch,
    long Steps,
    long FirstStep,
    string Device,
    string RunFolder);

/// <summary>Receives what happens during training, on the training thread. Every method does nothing unless overridden.</summary>
public interface ITrainingProgress
{
    /// <summary>Everything is loaded; the first step follows.</summary>
    /// <param name="start">Facts about the run.</param>
    void Started(TrainingStart start) { }

    /// <summary>A step is done.</summary>
    /// <param name="status">Where the run stands.</param>
    void Stepped(in TrainingStatus status) { }

    /// <summary>An epoch of an objective with figures of its own is over.</summary>
    /// <param name="epoch">The figures.</param>
    void Epoch(TrainingEpoch epoch) { }

    /// <summary>Trials were scored.</summary>
    /// <param name="evaluation">The result.</param>
    void Evaluated(in TrainingEvaluation evaluation) { }

    /// <summary>Something looks wrong, but training goes on.</summary>
    /// <param name="message">One sentence: what, and what usually helps.</param>
    void Warned(string message) { }

    /// <summary>A checkpoint was written.</summary>
    /// <param name="path">The file.</param>
    void Saved(string path) { }
}
