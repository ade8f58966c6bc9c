namespace Spk.Training.Benchmarks;

/// <summary>How fast and how busy a machine was at a time.</summary>
/// <param name="Processor">Least processor seconds that a unit of work that never changes took.</param>
/// <param name="Waited">Seconds a second that threads of this process waited for a processor: 0 on an idle machine.</param>
public readonly record struct MachinePace(double Processor, double Waited);
