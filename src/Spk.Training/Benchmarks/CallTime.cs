using System.Diagnostics;

namespace Spk.Training.Benchmarks;

/// <summary>Time by the clock, and that of all processors for this process, seconds.</summary>
/// <param name="Wall">By the clock.</param>
/// <param name="Processor">By processors; 0 where the system counts it too coarsely.</param>
internal readonly record struct CallTime(double Wall, double Processor)
{
    /// <summary>A point in time.</summary>
    public readonly record struct Point(long Clock, TimeSpan Processor);

    public static Point Now() => new(Stopwatch.GetTimestamp(), OperatingSystem.IsLinux() ? Environment.CpuUsage.TotalTime : default);

    public static CallTime Since(Point start)
    {
        double wall = Stopwatch.GetElapsedTime(start.Clock).TotalSeconds;
        return new CallTime(wall, OperatingSystem.IsLinux() ? (Environment.CpuUsage.TotalTime - start.Processor).TotalSeconds : 0);
    }
}
