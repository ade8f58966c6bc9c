using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Bench.Support;

/// <summary>The device under test and random inputs on it. SPK_BENCH_THREADS sets the number of threads.</summary>
internal static class BenchDevice
{
    public static CpuDevice Open() =>
        new(int.TryParse(Environment.GetEnvironmentVariable("SPK_BENCH_THREADS"), out int threads) ? threads : 0);

    public static Tensor Random(Device device, Shape shape, ulong seed)
    {
        var tensor = device.AllocatePersistent(shape);
        var random = new CounterRandom(seed, RandomPurpose.Initialization);
        var values = new float[shape.Count];
        foreach (ref float value in values.AsSpan())
        {
            value = random.NextFloat(-1f, 1f);
        }

        tensor.CopyFrom(values);
        return tensor;
    }

    /// <summary>Makes a persistent tensor as new as the activations of a training step: without the last step's gradient.</summary>
    public static void StartStep(Tensor x)
    {
        x.Reset(x.Device, x.Address, x.Shape, x.ElementType);
        x.RequiresGrad = true;
    }
}
