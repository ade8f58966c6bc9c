using BenchmarkDotNet.Attributes;
using Spk.Engine.Ops.Optim;

namespace Spk.Bench.Ops.Optim;

/// <summary>AdamW with decay.</summary>
[MemoryDiagnoser]
public class AdamWBench : FlatBench
{
    private long _step;

    [Benchmark]
    public void Step() => AdamW.Step(Values, Gradients, First, Second, ++_step, new AdamSettings { WeightDecay = 1e-4 });
}
