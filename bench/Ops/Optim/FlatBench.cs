using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Optim;

/// <summary>What every optimiser bench needs: flat vectors of the x-vector's 4.5 million parameters.</summary>
public abstract class FlatBench
{
    protected const int Parameters = 4_516_244;

    protected CpuDevice Device { get; private set; } = null!;

    protected Tensor Values { get; private set; } = null!;

    protected Tensor Gradients { get; private set; } = null!;

    protected Tensor First { get; private set; } = null!;

    protected Tensor Second { get; private set; } = null!;

    protected Tensor Average { get; private set; } = null!;

    [GlobalSetup]
    public void Setup()
    {
        Device = BenchDevice.Open();
        var shape = new Shape(Parameters);
        (Values, Gradients) = (Device.AllocatePersistent(shape), Device.AllocatePersistent(shape));
        (First, Second) = (Device.AllocatePersistent(shape), Device.AllocatePersistent(shape));
        Average = Device.AllocatePersistent(shape);
        var random = BenchDevice.Random(Device, shape, 1);
        random.AsSpan().CopyTo(Values.AsSpan());
        random.AsSpan().CopyTo(Gradients.AsSpan());
    }

    [GlobalCleanup]
    public void Cleanup() => Device.Dispose();
}
