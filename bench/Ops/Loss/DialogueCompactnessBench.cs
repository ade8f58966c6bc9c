using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>256 dialogues of 4 utterances, 512-dimensional, with their weights.</summary>
[MemoryDiagnoser]
public class DialogueCompactnessBench
{
    private CpuDevice _device = null!;
    private Tensor _rows = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _rows = BenchDevice.Random(_device, new Shape(4 * 256, 512), 1);
        float[] compactness = new float[256];
        DialogueCompactness.Forward(_rows, 4).CopyTo(compactness);
        if (!(Math.Abs(compactness.Average()) < 0.01))
        {
            throw new InvalidOperationException("Random rows are compact.");
        }
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        DialogueCompactness.Weigh(DialogueCompactness.Forward(_rows, 4), null, new DialogueWeightOptions());
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
