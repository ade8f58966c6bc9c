using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>
/// DINO's loss over 6 views of 32 utterances, bottleneck 256. Products are 2·8·32·256·K operations forward (8 views of both networks), and
/// 2·20·32·256·K backward: the logits once more, and two products of the student's derivatives.
/// </summary>
[MemoryDiagnoser]
public class PrototypeDistillBench
{
    private const int Batch = 32, Views = 6, TeacherViews = 2, Width = 256;
    private readonly Tape _tape = new();
    private readonly PrototypeDistillOptions _options = new();
    private CpuDevice _device = null!;
    private ParameterSet _set = null!;
    private Parameter _student = null!, _teacher = null!, _prototypes = null!, _teacherPrototypes = null!;
    private Tensor _centre = null!;

    [Params(4096, 65536)]
    public int Prototypes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _set = new ParameterSet(_device);
        _student = _set.Add("student", new Shape(Views * Batch, Width), Initializer.UniformFanIn(Width));
        _teacher = _set.Add("teacher", new Shape(TeacherViews * Batch, Width), Initializer.UniformFanIn(Width));
        _prototypes = _set.Add("prototypes", new Shape(Prototypes, Width), Initializer.XavierNormal(Width, Width));
        _teacherPrototypes = _set.Add("teacher_prototypes", new Shape(Prototypes, Width), Initializer.XavierNormal(Width, Width));
        _set.Allocate(1);
        _centre = _device.AllocatePersistent(new Shape(Prototypes));

        // Rows and prototypes point anywhere: a loss near that of flat distributions.
        float[] loss = new float[1];
        Step(null).CopyTo(loss);
        if (!(Math.Abs(loss[0] - Math.Log(Prototypes)) < 0.5))
        {
            throw new InvalidOperationException($"The loss is {loss[0]}, not about ln K = {Math.Log(Prototypes)}.");
        }
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _set.ZeroGradients();
        _tape.Clear();
        _tape.Backward(Step(_tape));
    }

    [Benchmark]
    public void Forward() => Step(null);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();

    private Tensor Step(Tape? tape)
    {
        _device.Workspace.Reset();
        return PrototypeDistill.Forward(
            tape, _student.Value, _teacher.Value, _prototypes.Value, _teacherPrototypes.Value, _centre, _options);
    }
}
