using System.Diagnostics;

namespace Spk.Training;

/// <summary>Measures speed and the share of time spent on audio. A mutable struct on purpose: it lives in the trainer and allocates nothing.</summary>
internal struct Throughput
{
    // Weight of the newest step in the running means: about the last 20 steps count.
    private const double NewestWeight = 0.05;
    private double _secondsPerStep, _dataShare, _total;
    private long _steps;

    /// <summary>Mean seconds of recent steps.</summary>
    public readonly double SecondsPerStep => _secondsPerStep;

    /// <summary>Mean share of audio in recent steps, 0 to 1.</summary>
    public readonly double DataShare => _dataShare;

    /// <summary>Mean seconds of all steps but the first of the process, which compiles code; of the first where there is no other.</summary>
    public readonly double MeanSecondsPerStep => _steps > 1 ? _total / (_steps - 1) : _secondsPerStep;

    /// <summary>Counts a step.</summary>
    /// <param name="start">Timestamp before reading the batch.</param>
    /// <param name="dataReady">Timestamp after reading it.</param>
    /// <param name="end">Timestamp after the step.</param>
    public void Add(long start, long dataReady, long end)
    {
        double seconds = Stopwatch.GetElapsedTime(start, end).TotalSeconds;
        double share = seconds > 0 ? Stopwatch.GetElapsedTime(start, dataReady).TotalSeconds / seconds : 0;

        // The first step compiles code and fills buffers: it must not weigh on the means.
        double weight = _steps < 2 ? 1 : Math.Max(NewestWeight, 1.0 / _steps);
        _secondsPerStep += weight * (seconds - _secondsPerStep);
        _dataShare += weight * (share - _dataShare);
        _total += _steps > 0 ? seconds : 0;
        _steps++;
    }
}
