using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>OC-Softmax of 256 embeddings over the speakers of VoxCeleb2, forward and backward; beside <see cref="MarginClassifierBench"/>.</summary>
[MemoryDiagnoser]
public class OneClassSoftmaxBench
{
    private const int Rows = 256, Width = 512, Classes = 5994;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private ParameterSet _parameters = null!;
    private Parameter _embeddings = null!, _weight = null!;
    private Tensor _labels = null!;

    [Params(OneClassReduction.TargetPlusHardest, OneClassReduction.MeanAll)]
    public OneClassReduction Reduction { get; set; }

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
        _tape.Backward(OneClassSoftmax.Forward(_tape, _embeddings.Value, _weight, _labels, new OneClassOptions { Reduction = Reduction }));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
