namespace Spk.Training.Benchmarks;

/// <summary>How fast and how busy a machine was at a time.</summary>
/// <param name="Clock">Least seconds that a piece of work that never changes took, on as many threads as the case.</param>
/// <param name="Processor">Least processor seconds that it took, of all threads together.</param>
/// <param name="Waited">Seconds a second that threads of this process waited for a processor: 0 on an idle machine.</param>
public readonly record struct MachinePace(double Clock, double Processor, double Waited);
