using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Matrix products: cubes, and the shapes that the layers of a TDNN come down to.</summary>
internal static class ProductCases
{
    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("sgemm", "matrix products, M × K by K × N, on a CPU", d => d is CpuDevice ? Products("sgemm", d, [(6400, 1536, 1536)]) : []),
        new("gemm", "matrix products, M × K by K × N, on a GPU", d => d is CpuDevice ? [] : Products("gemm", d, [(4096, 4096, 4096), (8192, 8192, 8192), (51200, 1536, 512), (51200, 1536, 1536)])),
    ];

    private static IReadOnlyList<BenchmarkCase> Products(string name, Device device, (int M, int K, int N)[] larger) =>
    [
        .. new[] { (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (12800, 200, 512), (12800, 1536, 512), (12800, 512, 512) }
            .Concat(larger).Select(s => Case(name, device, s.Item1, s.Item2, s.Item3)),
    ];

    public static BenchmarkCase Case(string name, Device device, int m, int k, int n)
    {
        var a = Inputs.Random(device, new Shape(m, k), 1);
        var b = Inputs.Random(device, new Shape(k, n), 2);
        double operations = 2.0 * m * k * n;
        return new(name, [new("M", m), new("K", k), new("N", n)], "GFLOP/s", 1e-9 * operations, () =>
        {
            device.Workspace.Reset();
            MatMul.Forward(null, a, b);
        })
        {
            Bytes = 4.0 * (((double)m * k) + ((double)k * n) + ((double)m * n)),
            Operations = operations,
        };
    }
}
