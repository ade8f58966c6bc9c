using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Recipes;

namespace Spk.Tests.Checkpoints;

public class CheckpointTests
{
    private static readonly Recipe Short = TinyCorpus.Recipe("training.maximumSteps=3");
    private string _folder = "";

    private string Latest => new RunFolder(_folder).Latest;

    [SetUp]
    public void Train()
    {
        _folder = Directory.CreateTempSubdirectory("spk-checkpoint-").FullName;
        Run(Short);
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void It_holds_everything_and_nothing_of_the_moment()
    {
        using var file = SafetensorsFile.Open(Latest);
        Assert.Multiple(() =>
        {
            Assert.That(file.Metadata["format"], Is.EqualTo("spk-checkpoint"));
            Assert.That(file.Metadata["step"], Is.EqualTo("3"));
            Assert.That(file.Metadata["epoch"], Is.EqualTo("0"));
            Assert.That(file.Metadata["batch"], Is.EqualTo("3"));
            Assert.That(file.Metadata["device_kind"], Is.EqualTo("cpu"));
            Assert.That(Recipe.Parse(file.Metadata["recipe"], "x").ToYaml(), Is.EqualTo(Short.ToYaml()));
            Assert.That(file.Tensors.Keys, Has.Some.StartsWith("encoder.").And.Some.StartsWith("optimizer.adam."));
            Assert.That(file.Tensors.Keys, Has.Some.EndsWith("running_var"));
            Assert.That(file.Metadata.Values, Has.None.Contains(Environment.MachineName));
        });
    }

    [Test]
    public void The_one_before_is_kept()
    {
        byte[] third = File.ReadAllBytes(Latest);
        Run(TinyCorpus.Recipe("training.maximumSteps=5"));
        Assert.That(File.ReadAllBytes(new RunFolder(_folder).Previous), Is.EqualTo(third));
    }

    [Test]
    public void Without_the_latest_the_one_before_serves()
    {
        Run(TinyCorpus.Recipe("training.maximumSteps=5"));
        byte[] fifth = File.ReadAllBytes(Latest);
        File.Delete(Latest);
        Run(TinyCorpus.Recipe("training.maximumSteps=5"));
        Assert.That(File.ReadAllBytes(Latest), Is.EqualTo(fifth));
    }

    [Test]
    public void Damage_is_named_and_nothing_is_written()
    {
        byte[] bytes = File.ReadAllBytes(Latest);
        bytes[^100] ^= 1;
        File.WriteAllBytes(Latest, bytes);
        string log = File.ReadAllText(new RunFolder(_folder).Log);
        Assert.That(() => Run(TinyCorpus.Recipe()), Throws.TypeOf<DataFormatException>().With.Message.Contains("latest.safetensors").And.Message.Not.Contains("\n"));
        Assert.That(File.ReadAllBytes(Latest), Is.EqualTo(bytes));
        Assert.That(File.ReadAllText(new RunFolder(_folder).Log), Is.EqualTo(log));
    }

    [TestCase(0)]
    [TestCase(5)]
    [TestCase(1000)]
    public void Truncation_is_named(int length)
    {
        File.WriteAllBytes(Latest, File.ReadAllBytes(Latest)[..length]);
        Assert.That(() => Run(TinyCorpus.Recipe()), Throws.TypeOf<DataFormatException>().With.Message.Contains("latest.safetensors"));
    }

    [Test]
    public void A_model_file_is_no_checkpoint()
    {
        using var device = new CpuDevice(1);
        SpeakerModel.Load(_folder, device).Save(Latest);
        Assert.That(() => Run(TinyCorpus.Recipe()), Throws.TypeOf<DataFormatException>().With.Message.Contains("is a model file without optimizer state"));
    }

    [Test]
    public void Tensors_of_another_architecture_are_named()
    {
        Rewrite(content =>
        {
            content.Metadata["recipe"] = TinyCorpus.Recipe("training.maximumSteps=3", "encoder.width=16").ToYaml();
        });
        var error = Assert.Throws<DataFormatException>(() => Run(TinyCorpus.Recipe("encoder.width=16")));
        Assert.That(error!.Message, Does.Match(@"latest\.safetensors: tensor encoder\.\S+ has shape \[8, 40, 5\] where the recipe's encoder needs \[16, 40, 5\]: it belongs to another architecture\."));
    }

    [TestCase("step")]
    [TestCase("recipe")]
    [TestCase("corpus")]
    public void Missing_metadata_is_named(string key)
    {
        Rewrite(content => content.Metadata.Remove(key));
        Assert.That(() => Run(TinyCorpus.Recipe()), Throws.TypeOf<DataFormatException>().With.Message.Contains($"lacks '{key}'"));
    }

    [Test]
    public void A_run_that_goes_on_on_another_kind_of_device_says_so()
    {
        Rewrite(content => content.Metadata["device_kind"] = "cuda");
        var witness = new Witness();
        Run(TinyCorpus.Recipe(), witness);
        Assert.That(witness.Warnings, Has.One.Contains("began on cuda and goes on on cpu"));
    }

    private void Run(Recipe recipe, Witness? witness = null)
    {
        using var device = new CpuDevice(2);
        using var trainer = Trainer.Open(recipe, _folder, device);
        trainer.Run(witness);
    }

    private void Rewrite(Action<SafetensorsContent> change)
    {
        var content = new SafetensorsContent();
        using (var file = SafetensorsFile.Open(Latest))
        {
            foreach (var (key, value) in file.Metadata.Where(m => m.Key != "crc32c"))
            {
                content.Metadata[key] = value;
            }

            foreach (var entry in file.Tensors.Values)
            {
                content.Add<float>(entry.Name, file.ReadSingle(entry.Name), [.. entry.Shape.Select(s => (int)s)]);
            }
        }

        change(content);
        SafetensorsFile.Write(Latest, content);
    }
}
