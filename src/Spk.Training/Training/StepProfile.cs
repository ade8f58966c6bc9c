using System.Diagnostics;
using Spk.Engine.Devices;

namespace Spk.Training;

/// <summary>A part of a training step.</summary>
public enum StepStage
{
    /// <summary>Cutting crops out of the corpus, and on a GPU waiting for them.</summary>
    Crops,

    /// <summary>Noise and rooms.</summary>
    Augmentation,

    /// <summary>Filterbank and normalisation.</summary>
    Features,

    /// <summary>Choosing positives, labels.</summary>
    Preparation,

    /// <summary>Encoders and loss.</summary>
    Forward,

    /// <summary>Gradients.</summary>
    Backward,

    /// <summary>Norm of the gradients, update of the parameters and momentum encoders.</summary>
    Optimizer,

    /// <summary>Queues, centres, references.</summary>
    Update,

    /// <summary>Reading embeddings and figures back for the log.</summary>
    Readback,

    /// <summary>What an epoch begins with: clustering.</summary>
    Clustering,
}

/// <summary>
/// Where the time of training steps goes. It waits for the device at every boundary, which on a GPU takes away the overlap and the
/// replay that make steps fast: shares are right, the sum is more than an unprofiled step.
/// </summary>
public sealed class StepProfile
{
    private readonly long[] _ticks = new long[Enum.GetValues<StepStage>().Length];
    private long _last;

    /// <summary>Steps that were measured.</summary>
    public long Steps { get; private set; }

    /// <summary>Seconds spent in a stage, all steps together.</summary>
    /// <param name="stage">The stage.</param>
    public double Seconds(StepStage stage) => (double)_ticks[(int)stage] / Stopwatch.Frequency;

    /// <summary>Seconds spent in all stages.</summary>
    public double TotalSeconds => Enum.GetValues<StepStage>().Sum(Seconds);

    /// <summary>A step or epoch begins.</summary>
    internal void Start() => _last = Stopwatch.GetTimestamp();

    /// <summary>A stage is over.</summary>
    internal void End(StepStage stage, Device device)
    {
        device.Synchronize();
        long now = Stopwatch.GetTimestamp();
        _ticks[(int)stage] += now - _last;
        _last = now;
    }

    /// <summary>A step is over. The first one compiles code, and does not count.</summary>
    internal void EndStep()
    {
        if (Steps++ == 0)
        {
            Array.Clear(_ticks);
        }
    }
}
