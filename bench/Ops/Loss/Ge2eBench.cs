using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>GE2E over dialogues of 4 utterances, 512-dimensional: three products of 2·4N·N·512 operations, and passes over the rows.</summary>
[MemoryDiagnoser]
public class Ge2eBench
{
    private const int Utterances = 4, Width = 512;
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private ParameterSet _set = null!;
    private Parameter _rows = null!, _scale = null!, _offset = null!;

    [Params(64, 256)]
    public int Dialogues { get; set; }

    [Params(Ge2eForm.Softmax, Ge2eForm.Contrast)]
    public Ge2eForm Form { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _set = new ParameterSet(_device);
        _rows = _set.Add("rows", new Shape(Utterances * Dialogues, Width), Initializer.XavierNormal(1, 1));
        _scale = _set.Add("scale", new Shape(1), Initializer.Constant(10));
        _offset = _set.Add("offset", new Shape(1), Initializer.Constant(-5));
        _set.Allocate(1);

        // Rows that point anywhere have cosines about 0: ln N, or 1 and what the hardest cosine adds.
        float[] loss = new float[1];
        Run(null).CopyTo(loss);
        double want = Form == Ge2eForm.Softmax ? Math.Log(Dialogues) : 1;
        if (!(Math.Abs(loss[0] - want) < 0.3))
        {
            throw new InvalidOperationException($"The loss is {loss[0]}, not about {want}.");
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _tape.Clear();
        _set.ZeroGradients();
        _tape.Backward(Run(_tape));
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();

    private Tensor Run(Tape? tape)
    {
        _device.Workspace.Reset();
        return Ge2e.Forward(tape, _rows.Value, Utterances, _scale.Value, _offset.Value, new Ge2eOptions { Form = Form });
    }
}
