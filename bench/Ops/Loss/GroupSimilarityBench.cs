using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>SupCon of four views of a batch, and of it the similarity in groups of four items, forward and backward.</summary>
[MemoryDiagnoser]
public class GroupSimilarityBench
{
    private const int Items = 256, Views = 4, Width = 512;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _rows = null!, _groups = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _rows = BenchDevice.Random(_device, new Shape(Views * Items, Width), 1);
        _groups = _device.AllocatePersistent(new Shape(Items), ElementType.Int32);
        _groups.CopyIntsFrom([.. Enumerable.Range(0, Items).Select(i => i / 4)]);
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _rows.BeginGradient();
        _tape.Backward(GroupSimilarity.Forward(_tape, _rows, Items, _groups));
    }

    [Benchmark]
    public void SupervisedContrastForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _rows.BeginGradient();
        _tape.Backward(SupervisedContrast.Forward(_tape, _rows, Views, _groups, 0.1f));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
