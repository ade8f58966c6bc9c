using BenchmarkDotNet.Attributes;
using Spk.Engine.Ops.Optim;

namespace Spk.Bench.Ops.Optim;

/// <summary>Adam: reads and writes three vectors, reads a fourth; 28 bytes a parameter, 36 with an average that follows.</summary>
[MemoryDiagnoser]
public class AdamBench : FlatBench
{
    private long _step;

    [Benchmark]
    public void StepWithAverage() =>
        Adam.Step(Values, Gradients, First, Second, ++_step, new AdamSettings(), average: new MovingAverage(Average, 0.999));

    [Benchmark]
    public void Step() => Adam.Step(Values, Gradients, First, Second, ++_step, new AdamSettings());
}
