using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Training.Data;

namespace Spk.Bench.Pipeline;

/// <summary>A corpus of 272 short recordings: decoded and packed into one file, checked, and opened.</summary>
[MemoryDiagnoser]
public class PackBench
{
    private readonly SmallRecipe _recipe = new();
    private Manifest _manifest = null!;

    private string PackPath => Path.Combine(_recipe.Voices, "train.spkpack");

    [GlobalSetup]
    public void Setup()
    {
        _manifest = Manifest.Load(Path.Combine(_recipe.Voices, "train.csv"));
        Write();
        if (Verify() != 0)
        {
            throw new InvalidOperationException("The pack is damaged.");
        }
    }

    [Benchmark]
    public void Write() => CorpusPack.Write(PackPath, _manifest);

    [Benchmark]
    public int Verify() => CorpusPack.Verify(PackPath).Count;

    [Benchmark]
    public long Open()
    {
        using var corpus = Corpus.OpenPack(PackPath);
        return corpus.TotalSamples;
    }

    [GlobalCleanup]
    public void Cleanup() => _recipe.Dispose();
}
