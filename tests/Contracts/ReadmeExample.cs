using System.Numerics.Tensors;
using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Tests.Cli;
using Spk.Training.Data;

namespace Spk.Tests.Contracts;

/// <summary>The README's C# example, compiled and run.</summary>
public class ReadmeExample
{
    [Test]
    public void Runs()
    {
        string folder = Directory.CreateTempSubdirectory("spk-readme-").FullName;
        try
        {
            string voices = Path.Combine(folder, "voices");
            SyntheticVoices.Generate(voices, new SyntheticVoicesSpec { Speakers = 8, EvaluationSpeakers = 2, UtterancesPerSpeaker = 2, SessionsPerSpeaker = 1, Noises = 1, Rooms = 1 });
            string run = Path.Combine(folder, "run");
            var trained = CommandLine.Run(
                "pretrain", Repository("recipes/demo.yaml"), "--set", $"data.root={voices}", "training.epochs=1", "training.batch=8", "encoder.width=16", "--out", run);
            Assert.That(trained.Code, Is.Zero, trained.Error);

            string[] files = Directory.GetFiles(Path.Combine(voices, "eval"), "*.wav", SearchOption.AllDirectories);
            Assert.That(Cosine(run, files[0], files[0]), Is.EqualTo(1).Within(1e-5));
            Assert.That(Cosine(run, files[0], files[^1]), Is.InRange(-1, 0.99999));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Repository(string path) => Support.Repository.Path(path);

    public static float Cosine(string model, string first, string second)
    {
        using var device = Device.Open("auto");
        var speakers = SpeakerModel.Load(model, device); // run folder, checkpoint or model file
        var a = WavFile.Read(first);
        var b = WavFile.Read(second);
        return TensorPrimitives.CosineSimilarity(
            speakers.Embed(a.Samples, a.SampleRate),
            speakers.Embed(b.Samples, b.SampleRate)); // compare with the threshold that `spk eval` prints
    }
}
