using Spk.Training.Data;
using Spk.Training.Recipes;

namespace Spk.Bench.Support;

/// <summary>A synthetic corpus in a temporary folder, and the small recipes on it.</summary>
internal sealed class SmallRecipe : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spk-bench-").FullName;

    public SmallRecipe() => SyntheticVoices.Generate(Voices, new SyntheticVoicesSpec { Speakers = 32, EvaluationSpeakers = 2, UtterancesPerSpeaker = 8 });

    public string Voices => Path.Combine(_folder, "voices");

    public string Run => Path.Combine(_folder, "run");

    /// <summary>Batches of 64 utterances, two crops of a second each, rooms and noise.</summary>
    /// <param name="encoder">The encoder, in braces.</param>
    /// <param name="objective">The objective, in braces.</param>
    public Recipe Parse(string encoder, string objective) => Recipe.Parse(
        $$"""
        data:
          cropSeconds: 1.0
          augmentation: { rir: rir, noise: noise, reverbProbability: 0.5, noiseProbability: 0.5 }
        features: { preset: torchaudio-mel40, normalization: mean }
        encoder: {{encoder}}
        objective: {{objective}}
        training: { batch: 64, epochs: 100000 }
        """,
        "bench",
        [$"data.root={Voices}"]);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
