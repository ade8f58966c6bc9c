using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>Information maximisation over a batch of predictions, forward and backward.</summary>
[MemoryDiagnoser]
public class InformationBench
{
    private const int Rows = 256;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _logits = null!;

    [Params(719, 10_000)]
    public int Classes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _logits = BenchDevice.Random(_device, new Shape(Rows, Classes), 1);

        // Random logits average out: the marginal is nearly uniform.
        float[] read = new float[2];
        Information.Forward(null, _logits, 4, out var entropies);
        entropies.CopyTo(read);
        if (!(Math.Abs(read[1] - Math.Log(Classes)) < 0.01) || !(read[0] < read[1]))
        {
            throw new InvalidOperationException($"The entropies are {read[0]} and {read[1]}, not below and about {Math.Log(Classes)}.");
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _logits.BeginGradient();
        _tape.Backward(Information.Forward(_tape, _logits, 4, out _));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
