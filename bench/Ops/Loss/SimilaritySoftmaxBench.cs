using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>
/// Symmetric NT-Xent-AM (m = 0.1, τ = 0.03) over 512-dimensional embeddings, forward and backward: the peers' ntxent_am case. The
/// products alone are 4·(2B)²·512 multiply-adds for the plain formula; this op needs half of them where its powers are kept.
/// </summary>
[MemoryDiagnoser]
public class SimilaritySoftmaxBench
{
    private const int Width = 512;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private ParameterSet _views = null!;
    private Parameter _first = null!, _second = null!;

    [Params(256, 1024, 4096)]
    public int Pairs { get; set; }

    [Params(true, false)]
    public bool Symmetric { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _views = new ParameterSet(_device);
        _first = _views.Add("first", new Shape(Pairs, Width), Initializer.XavierNormal(1, 1));
        _second = _views.Add("second", new Shape(Pairs, Width), Initializer.XavierNormal(1, 1));
        _views.Allocate(1);
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _views.ZeroGradients();
        _tape.Backward(NtXent.Forward(_tape, _first.Value, _second.Value, 0.03f, Symmetric, MarginKind.Additive, 0.1f));
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        NtXent.Forward(null, _first.Value, _second.Value, 0.03f, Symmetric, MarginKind.Additive, 0.1f);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
