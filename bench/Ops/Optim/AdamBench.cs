using BenchmarkDotNet.Attributes;
using Spk.Engine.Ops.Optim;

namespace Spk.Bench.Ops.Optim;

/// <summary>Adam: reads and writes three vectors, reads a fourth; 28 bytes a parameter.</summary>
[MemoryDiagnoser]
public class AdamBench : FlatBench
{
    private long _step;

    [Benchmark]
    public void Step() => Adam.Step(Values, Gradients, First, Second, ++_step, new AdamSettings());
}
