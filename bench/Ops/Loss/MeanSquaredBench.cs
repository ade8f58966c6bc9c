using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>Frames of predicted features against the true ones, [32, 300, 80]: reads x and y twice, writes the gradient.</summary>
[MemoryDiagnoser]
public class MeanSquaredBench
{
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _x = null!, _y = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _x = BenchDevice.Random(_device, new Shape(32, 300, 80), 1);
        _y = BenchDevice.Random(_device, new Shape(32, 300, 80), 2);

        // Differences of two uniform numbers of -1 to 1.
        float[] loss = new float[1];
        MeanSquared.Forward(null, _x, _y).CopyTo(loss);
        if (!(Math.Abs(loss[0] - (2.0 / 3)) < 0.01))
        {
            throw new InvalidOperationException($"The loss is {loss[0]}, not about {2.0 / 3}.");
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _x.BeginGradient();
        _tape.Backward(MeanSquared.Forward(_tape, _x, _y));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
