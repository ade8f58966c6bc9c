namespace Spk.Training.Benchmarks;

/// <summary>How fast and how busy a machine was at a time.</summary>
/// <param name="Clock">Least seconds that work that never changes took on as many threads as the case has.</param>
/// <param name="Processor">Least processor seconds that it took on one thread.</param>
/// <param name="Waited">Seconds a second that each thread of the case waited for a processor, in the mean: 0 on an idle machine.</param>
public readonly record struct MachinePace(double Clock, double Processor, double Waited)
{
    // A machine on which threads wait for longer than this, in seconds a second, is busy; and so busy that no time tells anything.
    internal const double IdleWaiting = 0.025, OverloadedWaiting = 0.25;
}
