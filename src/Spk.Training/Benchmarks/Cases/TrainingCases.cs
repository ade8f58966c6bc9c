using Spk.Engine.Devices;
using Spk.Training.Data;
using Spk.Training.Recipes;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>
/// A whole training step, from a packed file to updated weights: two crops of a second of each utterance, rooms and noise, features, the
/// x-vector of the small recipes, NT-Xent, backward, Adam, log line.
/// </summary>
internal static class TrainingCases
{
    public static IReadOnlyList<BenchmarkGroup> Groups { get; } = [new("pretrain_step", "a whole SimCLR step, from a packed file to updated weights", Pretraining)];

    private static IReadOnlyList<BenchmarkCase> Pretraining(Device device)
    {
        const int batch = 64;
        var run = new Run(device, batch);
        return [new("pretrain_step", [new("batch", batch), new("width", Run.Width)], "utt/s", batch, run.Step) { Owned = run }];
    }

    private sealed class Run : IDisposable
    {
        public const int Width = 128;
        private readonly string _folder = Directory.CreateTempSubdirectory("spk-bench-").FullName;
        private readonly Trainer _trainer;
        private readonly TrainingSession _session;
        private long _step;

        public Run(Device device, int batch)
        {
            string voices = Path.Combine(_folder, "voices"), run = Path.Combine(_folder, "run");
            SyntheticVoices.Generate(voices, new SyntheticVoicesSpec { Speakers = 32, EvaluationSpeakers = 2, UtterancesPerSpeaker = 8 });

            // Packed, as long trainings read it; the rooms and the noise lie beside.
            string pack = Path.Combine(_folder, "train.spkpack");
            CorpusPack.Write(pack, Manifest.Load(Path.Combine(voices, "train.csv")));
            var recipe = Recipe.Parse(
                $$"""
                data:
                  cropSeconds: 1.0
                  augmentation: { rir: rir, noise: noise, reverbProbability: 0.5, noiseProbability: 0.5 }
                features: { preset: torchaudio-mel40, normalization: mean }
                encoder: { kind: tdnn, width: {{Width}}, embeddingSize: {{Width}} }
                training: { batch: {{batch}}, epochs: 100000 }
                """,
                "bench",
                [$"data.root={voices}", $"data.pack={pack}"]);
            _trainer = Trainer.Open(recipe, run, device);
            _session = new TrainingSession(_trainer.Pipeline, new RunFolder(run), 0, null, device.Name);
        }

        public void Step() => _session.Step(_step++);

        public void Dispose()
        {
            _session.Dispose();
            _trainer.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
