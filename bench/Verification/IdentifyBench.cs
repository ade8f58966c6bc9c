using BenchmarkDotNet.Attributes;
using Spk.Engine.Numerics;
using Spk.Engine.Verification;

namespace Spk.Bench.Verification;

/// <summary>The 10 nearest of 100,000 profiles of 192 elements, and writing all of them to a file.</summary>
[MemoryDiagnoser]
public class IdentifyBench
{
    private const int Profiles = 100_000, Size = 192;

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"spk-bench-{Environment.ProcessId}.spk");
    private ProfileStore _store = null!;
    private float[] _query = [];

    [GlobalSetup]
    public void Setup()
    {
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        _store = ProfileStore.Open(_path, "bench", Size);
        for (int i = 0; i < Profiles; i++)
        {
            var embedding = new float[Size];
            foreach (ref float value in embedding.AsSpan())
            {
                value = random.NextNormal();
            }

            _store.Put(new Profile($"speaker {i}", embedding, 1));
        }

        _query = _store.Find("speaker 777")!.Embedding.ToArray();
        if (_store.Nearest(_query, 10)[0].Id != "speaker 777")
        {
            throw new InvalidOperationException("a profile is not nearest to itself");
        }
    }

    [Benchmark]
    public IReadOnlyList<SpeakerMatch> Nearest() => _store.Nearest(_query, 10);

    [Benchmark]
    public void Save() => _store.Save();

    [GlobalCleanup]
    public void Cleanup()
    {
        _store.Dispose();
        File.Delete(_path);
    }
}
