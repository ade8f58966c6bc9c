namespace Spk.Training.Benchmarks;

/// <summary>How fast and how busy a machine was at a time.</summary>
/// <param name="Clock">Least seconds that work that never changes took on as many threads as the case has.</param>
/// <param name="Processor">Least processor seconds that it took on one thread.</param>
/// <param name="Waited">Seconds a second that each thread of the case waited for a processor, in the mean: 0 on an idle machine.</param>
public readonly record struct MachinePace(double Clock, double Processor, double Waited);
