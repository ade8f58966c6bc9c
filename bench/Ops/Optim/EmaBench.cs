using BenchmarkDotNet.Attributes;
using Spk.Engine.Ops.Optim;

namespace Spk.Bench.Ops.Optim;

/// <summary>Moving average: 12 bytes a parameter.</summary>
[MemoryDiagnoser]
public class EmaBench : FlatBench
{
    [Benchmark]
    public void Step() => Ema.Step(First, Values, 0.999);
}
