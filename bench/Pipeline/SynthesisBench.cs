using BenchmarkDotNet.Attributes;
using Spk.Training.Data;

namespace Spk.Bench.Pipeline;

/// <summary>A synthetic corpus of 800 utterances of 2 to 3 s, written to disk.</summary>
public class SynthesisBench
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "spk-synthesis-bench");

    [Benchmark]
    public void Generate() => SyntheticVoices.Generate(_folder);
}
