using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>Logits of 256 rows over the other rows of a batch, and over the speakers of VoxCeleb2, forward and backward.</summary>
[MemoryDiagnoser]
public class CrossEntropyBench
{
    private const int Rows = 256;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _logits = null!;

    [Params(256, 5994)]
    public int Classes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _logits = BenchDevice.Random(_device, new Shape(Rows, Classes), 1);

        // Logits uniform in -1 to 1 cost log(K · sinh(1)) on average.
        float[] loss = new float[1];
        CrossEntropy.Forward(null, _logits, null).CopyTo(loss);
        if (!(Math.Abs(loss[0] - Math.Log(Classes * Math.Sinh(1))) < 0.2))
        {
            throw new InvalidOperationException($"The loss is {loss[0]}, not about {Math.Log(Classes * Math.Sinh(1))}.");
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _logits.BeginGradient();
        _tape.Backward(CrossEntropy.Forward(_tape, _logits, null));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
