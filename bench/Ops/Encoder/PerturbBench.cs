using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>A batch of embeddings moved by a distance.</summary>
[MemoryDiagnoser]
public class PerturbBench
{
    private CpuDevice _device = null!;
    private Tensor _rows = null!, _directions = null!;

    [Params(256, 4096)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _rows = BenchDevice.Random(_device, new Shape(Rows, 512), 1);
        _directions = BenchDevice.Random(_device, new Shape(Rows, 512), 2);
        float[] before = new float[_rows.Count], after = new float[_rows.Count];
        _rows.CopyTo(before);
        Perturb.Forward(_rows, _directions, 0.5f).CopyTo(after);
        double moved = Math.Sqrt(before.Take(512).Zip(after, (a, b) => Math.Pow(a - b, 2)).Sum());
        if (!(Math.Abs(moved - 0.5) < 1e-4))
        {
            throw new InvalidOperationException($"The first row moved by {moved}, not by 0.5.");
        }
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        Perturb.Forward(_rows, _directions, 0.5f);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
