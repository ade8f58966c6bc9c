using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Tests.TrainingRuns;
using Spk.Training;

namespace Spk.Tests.Checkpoints;

public class SpeakerModelTests
{
    private string _folder = "";
    private CpuDevice _device = null!;
    private Trainer _trainer = null!;

    [OneTimeSetUp]
    public void Train()
    {
        _folder = Directory.CreateTempSubdirectory("spk-model-").FullName;
        _device = new CpuDevice(2);
        _trainer = Trainer.Open(TinyCorpus.Recipe("training.maximumSteps=5"), _folder, _device);
        _trainer.Run();
    }

    [OneTimeTearDown]
    public void Remove()
    {
        _trainer.Dispose();
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void Run_folder_checkpoint_and_model_file_embed_as_the_trainer_does()
    {
        float[] wave = Wave(20000);
        float[] want = _trainer.Model.Embed(wave, 16000);
        string checkpoint = new RunFolder(_folder).Latest, model = Path.Combine(_folder, "exported.safetensors");
        SpeakerModel.Load(_folder, _device).Save(model);
        Assert.That(want, Has.Length.EqualTo(8));
        foreach (string path in new[] { _folder, checkpoint, model })
        {
            Assert.That(SpeakerModel.Load(path, _device).Embed(wave, 16000), Is.EqualTo(want), path);
        }

        Assert.That(new FileInfo(model).Length, Is.LessThan(new FileInfo(checkpoint).Length), "no optimizer in a model file");
    }

    [Test]
    public void Rows_of_a_batch_are_what_they_are_alone()
    {
        const int Length = 9000;
        var waves = Wave(3 * Length);
        var batch = new float[3 * 8];
        _trainer.Model.EmbedBatch(waves, 3, 16000, batch);
        for (int i = 0; i < 3; i++)
        {
            Support.Close.Assert(batch.AsSpan(i * 8, 8), _trainer.Model.Embed(waves.AsSpan(i * Length, Length), 16000), 1e-5, $"row {i}");
        }
    }

    [TestCase(1)]
    [TestCase(100)]
    [TestCase(3999)]
    [TestCase(160000)]
    public void Any_length_can_be_embedded(int samples)
    {
        float[] embedding = _trainer.Model.Embed(Wave(samples), 16000);
        Assert.That(embedding.All(float.IsFinite));
    }

    [Test]
    public void Short_audio_counts_as_repeated()
    {
        float[] wave = Wave(1000);
        float[] tiled = [.. Enumerable.Range(0, _trainer.Model.MinimumSamples).Select(i => wave[i % 1000])];
        Assert.That(_trainer.Model.Embed(wave, 16000), Is.EqualTo(_trainer.Model.Embed(tiled, 16000)));
    }

    [Test]
    public void Memory_stays_flat()
    {
        float[] wave = Wave(16000);
        var embedding = new float[8];
        for (int i = 0; i < 50; i++)
        {
            _trainer.Model.Embed(wave, 16000, embedding);
        }

        long reserved = _device.Workspace.ReservedBytes;
        for (int i = 0; i < 200; i++)
        {
            _trainer.Model.Embed(wave, 16000, embedding);
        }

        Assert.That(_device.Workspace.ReservedBytes, Is.EqualTo(reserved));
    }

    [Test]
    public void Another_rate_no_samples_and_bad_samples_are_refused()
    {
        var model = _trainer.Model;
        Assert.That(() => model.Embed(Wave(8000), 8000), Throws.TypeOf<InvalidOptionException>().With.Message.EqualTo(
            "The audio has 8000 Hz, the model was trained at 16000 Hz: resample it first."));
        Assert.That(() => model.Embed([], 16000), Throws.TypeOf<DataFormatException>());
        float[] wave = Wave(16000);
        wave[77] = float.NaN;
        Assert.That(() => model.Embed(wave, 16000), Throws.TypeOf<NonFiniteException>().With.Message.StartsWith("Sample 77 of the utterance is NaN"));
        Assert.That(() => model.EmbedBatch(Wave(16000), 3, 16000, new float[24]), Throws.TypeOf<ShapeException>());
    }

    [Test]
    public void What_is_no_model_is_named()
    {
        string text = Path.Combine(_folder, "text.txt"), foreign = Path.Combine(_folder, "foreign.safetensors");
        File.WriteAllText(text, "this is not a model at all, but long enough to look at");
        var content = new SafetensorsContent();
        content.Add<float>("weight", [1, 2], 2);
        SafetensorsFile.Write(foreign, content);
        string empty = Directory.CreateDirectory(Path.Combine(_folder, "empty")).FullName;
        Assert.Multiple(() =>
        {
            Assert.That(() => SpeakerModel.Load(text, _device), Throws.TypeOf<DataFormatException>().With.Message.Contains("text.txt"));
            Assert.That(() => SpeakerModel.Load(foreign, _device), Throws.TypeOf<DataFormatException>().With.Message.Contains("is no Spk model or checkpoint: its metadata lacks 'features'; name "));
            Assert.That(() => SpeakerModel.Load(empty, _device), Throws.TypeOf<DataFormatException>().With.Message.Contains("holds no checkpoints/latest.safetensors"));
            Assert.That(() => SpeakerModel.Load("no/such/thing", _device), Throws.TypeOf<DataFormatException>().With.Message.StartsWith("no/such/thing does not exist"));
        });
    }

    private static float[] Wave(int samples)
    {
        var random = new CounterRandom(5, RandomPurpose.Plot);
        var wave = new float[samples];
        for (int i = 0; i < samples; i++)
        {
            wave[i] = (0.3f * MathF.Sin(i * 0.05f)) + random.NextFloat(-0.05f, 0.05f);
        }

        return wave;
    }
}
