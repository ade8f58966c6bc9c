using NUnit.Framework;
using Spk.Training.Data;

namespace Spk.Tests.Cli;

/// <summary>A few synthetic speakers and a run of a few steps on them, made once for all tests of the command line.</summary>
[SetUpFixture]
public sealed class TinyRun
{
    private const string Yaml =
        """
        name: tiny
        data:
          cropSeconds: 0.5
          augmentation:
            noiseProbability: 0.5
        encoder:
          kind: tdnn
          width: 16
          embeddingSize: 16
        training:
          epochs: 2
          batch: 8
        evaluation:
          trials: trials.txt
        """;

    /// <summary>Folder of everything; removed at the end.</summary>
    public static string Folder { get; private set; } = "";

    /// <summary>Corpus with train.csv, eval.csv and trials.txt.</summary>
    public static string Voices => In("voices");

    /// <summary>A recipe file without data.root.</summary>
    public static string Recipe => In("tiny.yaml");

    /// <summary>A finished run.</summary>
    public static string Run => In("run");

    public static string In(params string[] parts) => Path.Combine([Folder, .. parts]);

    [OneTimeSetUp]
    public void Make()
    {
        Folder = Directory.CreateTempSubdirectory("spk-cli-").FullName;
        SyntheticVoices.Generate(Voices, new SyntheticVoicesSpec
        {
            Speakers = 4,
            EvaluationSpeakers = 3,
            UtterancesPerSpeaker = 4,
            SessionsPerSpeaker = 2,
            MinimumSeconds = 1.1f,
            MaximumSeconds = 1.4f,
            Noises = 2,
            Rooms = 2,
        });
        File.WriteAllText(Recipe, Yaml);
        var run = Pretrain(Run);
        Assert.That(run.Code, Is.Zero, run.Error);
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(Folder, recursive: true);

    /// <summary>Runs <c>spk pretrain</c> on the tiny corpus.</summary>
    internal static CommandLine Pretrain(string folder, params string[] more) =>
        CommandLine.Run(["pretrain", Recipe, "--set", $"data.root={Voices}", "--out", folder, "--threads", "2", "--device", "cpu", .. more]);
}
