using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>Symmetry of four views of a batch, forward and backward.</summary>
[MemoryDiagnoser]
public class ViewSymmetryBench
{
    private const int Rows = 256, Views = 4;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _logits = null!;

    [Params(719, 10_000)]
    public int Classes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _logits = BenchDevice.Random(_device, new Shape(Views * Rows, Classes), 1);
        float[] loss = new float[1];
        ViewSymmetry.Forward(null, _logits, Views).CopyTo(loss);
        if (!(loss[0] > 0 && loss[0] < Math.Log(Views)))
        {
            throw new InvalidOperationException($"The divergence is {loss[0]}, not between 0 and {Math.Log(Views)}.");
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _logits.BeginGradient();
        _tape.Backward(ViewSymmetry.Forward(_tape, _logits, Views));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
