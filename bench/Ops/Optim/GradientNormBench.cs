using BenchmarkDotNet.Attributes;
using Spk.Engine.Ops.Optim;

namespace Spk.Bench.Ops.Optim;

/// <summary>Norm of all gradients: 4 bytes a parameter.</summary>
[MemoryDiagnoser]
public class GradientNormBench : FlatBench
{
    [Benchmark]
    public double Compute() => GradientNorm.Compute(Gradients);
}
