using BenchmarkDotNet.Attributes;
using Spk.Engine.Ops.Optim;

namespace Spk.Bench.Ops.Optim;

/// <summary>SGD with Nesterov momentum: 20 bytes a parameter.</summary>
[MemoryDiagnoser]
public class SgdBench : FlatBench
{
    [Benchmark]
    public void Step() => Sgd.Step(Values, Gradients, First, new SgdSettings { LearningRate = 1e-4, Momentum = 0.9, Nesterov = true });
}
