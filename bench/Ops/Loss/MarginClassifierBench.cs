using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>AAM-softmax (s = 30, m = 0.2) of 256 embeddings over the speakers of openvoices and of VoxCeleb2, forward and backward.</summary>
[MemoryDiagnoser]
public class MarginClassifierBench
{
    private const int Rows = 256, Width = 512;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private ParameterSet _parameters = null!;
    private Parameter _embeddings = null!, _weight = null!;
    private Tensor _labels = null!;

    [Params(422, 5994)]
    public int Classes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _parameters = new ParameterSet(_device);
        _embeddings = _parameters.Add("embeddings", new Shape(Rows, Width), Initializer.XavierNormal(1, 1));
        _weight = _parameters.Add("weight", new Shape(Classes, Width), Initializer.XavierNormal(Width, Classes));
        _parameters.Allocate(1);
        _labels = _device.AllocatePersistent(new Shape(Rows), ElementType.Int32);
        for (int i = 0; i < Rows; i++)
        {
            _labels.AsIntSpan()[i] = i * 7 % Classes;
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _parameters.ZeroGradients();
        _tape.Backward(MarginClassifier.Forward(_tape, _embeddings.Value, _weight, _labels, MarginKind.AdditiveAngular, 30, 0.2f));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
