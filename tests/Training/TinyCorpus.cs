using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Recipes;

namespace Spk.Tests.TrainingRuns;

/// <summary>Synthetic voices small enough that a run takes a second, made once for all tests.</summary>
internal static class TinyCorpus
{
    private static readonly Lazy<string> Made = new(() =>
    {
        string folder = Directory.CreateTempSubdirectory("spk-voices-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        SyntheticVoices.Generate(folder, new SyntheticVoicesSpec
        {
            Speakers = 10,
            EvaluationSpeakers = 4,
            UtterancesPerSpeaker = 6,
            SessionsPerSpeaker = 2,
            MinimumSeconds = 1,
            MaximumSeconds = 1.4f,
            Noises = 3,
            Rooms = 3,
        });
        // Every session is a dialogue of three; the first of each speaker has an utterance of the next one's.
        var utterances = Manifest.Load(Path.Combine(folder, "train.csv")).Utterances;
        new DialogueList(utterances.Select((u, i) => new DialogueEntry(
            utterances[i % 6 == 0 ? (i + 6) % utterances.Count : i].Id, $"{u.Speaker}-{u.Session}", TrueSpeaker: utterances[i % 6 == 0 ? (i + 6) % utterances.Count : i].Speaker)))
            .WriteCsv(Path.Combine(folder, "sessions.csv"));
        return folder;
    });

    public static string Root => Made.Value;

    private static readonly Lazy<string> Labelled = new(() =>
    {
        // Sessions of the speakers: twice as many clusters as speakers.
        string path = Path.Combine(Root, "labels.csv");
        new LabelFile([.. Manifest.Load(Path.Combine(Root, "train.csv"), Root).Utterances.GroupBy(u => (u.Speaker, u.Session)).SelectMany((g, k) => g.Select(u => new LabelRow(u.Id, k)))])
            .Write(path);
        return path;
    });

    /// <summary>Pseudo-labels of it.</summary>
    public static string Labels => Labelled.Value;

    /// <summary>A recipe on it: 60 utterances, 7 batches of 8 an epoch.</summary>
    public static Recipe Recipe(params string[] overrides) => Spk.Training.Recipes.Recipe.Parse(
        """
        name: tiny
        data:
          cropSeconds: 0.4
          augmentation: { rir: rir, noise: noise, reverbProbability: 0.5, noiseProbability: 0.5 }
        features: { normalization: mean }
        encoder: { width: 8, lastWidth: 16, embeddingSize: 8 }
        schedule: { learningRate: 2e-3 }
        training: { epochs: 6, batch: 8 }
        """,
        "tiny",
        [$"data.root={Root}", .. overrides]);
}

/// <summary>Remembers what a run reported, and can act on a step.</summary>
internal sealed class Witness(Action<TrainingStatus>? onStep = null) : ITrainingProgress
{
    public TrainingStart? Start { get; private set; }

    public List<TrainingStatus> Steps { get; } = [];

    public List<TrainingEvaluation> Evaluations { get; } = [];

    public List<string> Warnings { get; } = [];

    public int Checkpoints { get; private set; }

    public void Started(TrainingStart start) => Start = start;

    public void Stepped(in TrainingStatus status)
    {
        Steps.Add(status);
        onStep?.Invoke(status);
    }

    public void Evaluated(in TrainingEvaluation evaluation) => Evaluations.Add(evaluation);

    public void Warned(string message) => Warnings.Add(message);

    public void Saved(string path) => Checkpoints++;
}
