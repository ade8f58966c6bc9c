using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>Four views of a batch against its predictions, forward and backward.</summary>
[MemoryDiagnoser]
public class DivergenceBench
{
    private const int Rows = 256, Views = 4;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _targets = null!, _logits = null!;

    [Params(719, 10_000)]
    public int Classes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _targets = BenchDevice.Random(_device, new Shape(Rows, Classes), 1);
        _logits = BenchDevice.Random(_device, new Shape(Views * Rows, Classes), 2);
        float[] loss = new float[1];
        Divergence.Forward(null, _targets, _targets).CopyTo(loss);
        if (!(Math.Abs(loss[0]) < 1e-4))
        {
            throw new InvalidOperationException($"Equal distributions diverge by {loss[0]}.");
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _logits.BeginGradient();
        _tape.Backward(Divergence.Forward(_tape, _targets, _logits));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
