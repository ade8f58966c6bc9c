using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Training.Benchmarks.Cases;

namespace Spk.Bench.Support;

/// <summary>The device under test and random inputs on it. SPK_BENCH_THREADS sets the number of threads.</summary>
internal static class BenchDevice
{
    public static CpuDevice Open() =>
        new(int.TryParse(Environment.GetEnvironmentVariable("SPK_BENCH_THREADS"), out int threads) ? threads : 0);

    public static Tensor Random(Device device, Shape shape, ulong seed) => Inputs.Random(device, shape, seed);
}
