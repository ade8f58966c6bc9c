using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Cluster;

/// <summary>Labels of a block of predictions.</summary>
[MemoryDiagnoser]
public class TopClassBench
{
    private const int Rows = 1024;
    private CpuDevice _device = null!;
    private Tensor _logits = null!, _labels = null!, _probabilities = null!;

    [Params(719, 10_000)]
    public int Classes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _logits = BenchDevice.Random(_device, new Shape(Rows, Classes), 1);
        (_labels, _probabilities) = (_device.AllocatePersistent(new Shape(Rows), ElementType.Int32), _device.AllocatePersistent(new Shape(Rows)));
        Forward();
        var row = _logits.AsSpan()[..Classes];
        if (row[_labels.AsIntSpan()[0]] < System.Numerics.Tensors.TensorPrimitives.Max<float>(row))
        {
            throw new InvalidOperationException("The first row has a higher logit than that of its label.");
        }
    }

    [Benchmark]
    public void Forward() => TopClass.Forward(_logits, _labels, _probabilities);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
