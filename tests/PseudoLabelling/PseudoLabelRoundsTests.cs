using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.PseudoLabelling;
using Spk.Training.Recipes;

namespace Spk.Tests.PseudoLabelling;

public class PseudoLabelRoundsTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeModel()
    {
        _folder = new TemporaryFolder();
        using var device = new CpuDevice(1);
        using var trainer = Trainer.Open(TinyCorpus.Recipe("training.maximumSteps=3"), _folder.At("first"), device);
        trainer.Run();
    }

    [TearDown]
    public void Delete() => _folder.Dispose();

    [TestCase("kmeans", RoundStart.Scratch)]
    [TestCase("gmm", RoundStart.Previous)]
    public void Stopped_anywhere_they_go_on_with_the_same_bits(string method, RoundStart start)
    {
        var recipe = Recipe(method, start, "data.devSpeakers=2");
        Run(PseudoLabelRounds.Open(recipe, _folder.At("straight")), int.MaxValue);

        // Three epochs of 6 batches a round: the stops lie within epochs and between rounds.
        for (int attempt = 0; attempt < 20; attempt++)
        {
            if (Run(PseudoLabelRounds.Open(recipe, _folder.At("parts")), 5))
            {
                break;
            }
        }

        for (int round = 1; round <= 2; round++)
        {
            var straight = PseudoLabelRounds.Open(recipe, _folder.At("straight"));
            var parts = PseudoLabelRounds.Open(recipe, _folder.At("parts"));
            Assert.That(File.ReadAllBytes(parts.LabelsOf(round)), Is.EqualTo(File.ReadAllBytes(straight.LabelsOf(round))));
            Assert.That(File.ReadAllBytes(parts.FolderOf(round).Scores), Is.EqualTo(File.ReadAllBytes(straight.FolderOf(round).Scores)));
            var (a, b) = (straight.ResultOf(round)!, parts.ResultOf(round)!);
            Assert.That(b.IsTrained);
            Assert.That(b.Steps, Is.EqualTo(18));
            Assert.That(b.ToJson().ToJsonString(), Is.EqualTo(a.ToJson().ToJsonString()));
            Assert.That(b.Utterances, Is.EqualTo(48), "development speakers are not clustered");
            Assert.That(b.Measures.Keys, Is.SupersetOf(new[] { "clusters", "completeness", "nmi", "accuracy", "silhouette" }));
            Assert.That(b.Measures["clusters"], Is.EqualTo(12));
        }

        var results = PseudoLabelRounds.Open(recipe, _folder.At("parts"));
        Assert.That(results.ResultOf(2)!.EerBefore, Is.EqualTo(results.ResultOf(1)!.Eer), "a round begins where the one before ended");
    }

    [Test]
    public void Rounds_may_be_added_but_not_changed()
    {
        Run(PseudoLabelRounds.Open(Recipe("kmeans", RoundStart.Scratch, "rounds.count=1"), _folder.At("rounds")), int.MaxValue);
        byte[] labels = File.ReadAllBytes(_folder.At("rounds", "round-1", "labels.csv"));
        Assert.That(
            () => PseudoLabelRounds.Open(Recipe("kmeans", RoundStart.Scratch, "rounds.clusters=9"), _folder.At("rounds")),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("rounds.clusters = 12, the recipe says 9"));
        var more = PseudoLabelRounds.Open(Recipe("kmeans", RoundStart.Scratch, "rounds.count=2"), _folder.At("rounds"));
        Run(more, int.MaxValue);
        Assert.That(more.ResultOf(2)!.IsTrained);
        Assert.That(File.ReadAllBytes(more.LabelsOf(1)), Is.EqualTo(labels));
        PseudoLabelRounds.Open(Recipe("ahc", RoundStart.Scratch), _folder.At("rounds"), ResumeMode.Restart);
        Assert.That(PseudoLabelRounds.Open(Recipe("ahc", RoundStart.Scratch), _folder.At("rounds")).ResultOf(1), Is.Null);
    }

    [Test]
    public void True_speakers_never_take_the_place_of_missing_labels()
    {
        var recipe = Recipe("kmeans", RoundStart.Scratch);
        using var device = new CpuDevice(1);
        Assert.That(
            () => Trainer.Open(recipe, _folder.At("run"), device), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("spk pseudo-label"));
        Assert.That(
            () => PseudoLabelRounds.Open(recipe with { Rounds = recipe.Rounds with { Model = null } }, _folder.At("rounds")),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("rounds.model = null"));
        Assert.That(
            () => PseudoLabelRounds.Open(recipe with { Rounds = recipe.Rounds with { Model = _folder.At("nowhere") } }, _folder.At("rounds")), Throws.TypeOf<DataFormatException>());
        var tooMany = PseudoLabelRounds.Open(Recipe("kmeans", RoundStart.Scratch, "rounds.clusters=1000"), _folder.At("many"));
        Assert.That(() => tooMany.Label(1, device), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("there are 60 utterances"));
    }

    [Test]
    public void Other_labels_than_a_run_began_with_are_refused()
    {
        var recipe = TinyCorpus.Recipe(
            "objective.kind=supervised", "data.views=1", "data.pairing=random", "training.maximumSteps=2", $"data.labels.file={TinyCorpus.Labels}");
        using var device = new CpuDevice(1);
        using (var trainer = Trainer.Open(recipe, _folder.At("run"), device))
        {
            trainer.Run();
            Assert.That(trainer.Pipeline.Parameters.Trainable[^1].Shape[0], Is.EqualTo(20), "two sessions of each of ten speakers");
        }

        var rows = LabelFile.Read(TinyCorpus.Labels).Rows.ToArray();
        rows[0] = rows[0] with { Cluster = rows[^1].Cluster };
        new LabelFile(rows).Write(_folder.At("other.csv"));
        Assert.That(
            () => Trainer.Open(recipe with { Data = recipe.Data with { Labels = new LabelSpec { File = _folder.At("other.csv") } } }, _folder.At("run"), device),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("another corpus"));
        File.Copy(TinyCorpus.Labels, _folder.At("same.csv"));
        using var moved = Trainer.Open(recipe with { Data = recipe.Data with { Labels = new LabelSpec { File = _folder.At("same.csv") } } }, _folder.At("run"), device);
        Assert.That(moved.Step, Is.EqualTo(2));
    }

    [TestCaseSource(typeof(ClusteringMethods), nameof(ClusteringMethods.Names))]
    public void Every_method_labels_every_row(string method)
    {
        var random = Samples.Normal(1, 60 * 6);
        for (int i = 0; i < random.Length; i++)
        {
            random[i] += i / 6 % 3 == i % 3 ? 6 : 0;
        }

        var table = new Spk.Engine.Scoring.EmbeddingTable([.. Enumerable.Range(0, 60).Select(i => $"{i}")], random, 6);
        using var device = new CpuDevice(1);
        foreach (var normalization in Enum.GetValues<RowNormalization>())
        {
            var network = new CamsatOptions { HiddenWidth = 32, Epochs = 150, BatchSize = 60, LearningRate = 3e-3 };
            var spec = new ClusteringSpec { Method = method, Clusters = 3, Normalization = normalization, Network = network };
            var made = LabelMaker.Make(table, spec, 1, id => $"{int.Parse(id, System.Globalization.CultureInfo.InvariantCulture) % 3}", device);
            Assert.That(made.Labels.Rows.Select(r => r.Id), Is.EqualTo(table.Ids));
            Assert.That(made.Measures["clusters"], Is.EqualTo(3));
            Assert.That(made.Measures["accuracy"], Is.GreaterThan(0.9), $"{method} {normalization}");
        }
    }

    [TestCase("camsat", "rounds.views=3")]
    [TestCase("camsat", "rounds.views=0")]
    [TestCase("imsat", "rounds.views=3")]
    public void Networks_cluster_in_rounds_and_say_how_sure_they_are(string method, string views)
    {
        string[] options = [views, "rounds.count=1", "rounds.network.epochs=40", "rounds.network.learningRate=5e-3", "rounds.network.hiddenWidth=16", "rounds.network.batchSize=20", "data.labels.nearestShare=0.9"];
        var (first, second) = (PseudoLabelRounds.Open(Recipe(method, RoundStart.Scratch, options), _folder.At("first-rounds")), PseudoLabelRounds.Open(Recipe(method, RoundStart.Scratch, options), _folder.At("second")));
        Assert.That(Run(first, int.MaxValue));
        using var device = new CpuDevice(2);
        second.Label(1, device);
        var rows = LabelFile.Read(first.LabelsOf(1)).Rows;
        Assert.That(rows.Select(r => r.Cluster), Is.All.InRange(0, 11));
        Assert.That(rows.Select(r => r.Similarity), Is.All.InRange(1 / 12f, 1f));
        Assert.That(rows.Select(r => r.Cluster).Distinct().Count(), Is.EqualTo(first.ResultOf(1)!.Measures["clusters"]).And.GreaterThan(1));
        Assert.That(File.ReadAllBytes(second.LabelsOf(1)), Is.EqualTo(File.ReadAllBytes(first.LabelsOf(1))), "threads change no bit");
    }

    [Test]
    public void Views_of_a_corpus_are_those_of_its_files()
    {
        using var device = new CpuDevice(1);
        var model = SpeakerModel.Load(_folder.At("first"), device);
        var manifest = Manifest.Load(Path.Combine(TinyCorpus.Root, "train.csv"), TinyCorpus.Root);
        using var corpus = Corpus.Load(manifest, new CorpusOptions { SampleRate = model.SampleRate });
        foreach (string? noise in new[] { Path.Combine(TinyCorpus.Root, "noise"), null })
        {
            var spec = new ViewSpec { Views = 4, Noise = noise, Seed = 3 };
            float[] files = ViewExtractor.Run(model, [.. manifest.Utterances.Take(5)], spec), memory = ViewExtractor.Run(model, corpus, [0, 1, 2, 3, 4], spec);
            Assert.That(memory, Is.EqualTo(files));
            Assert.That(memory.AsSpan(0, 5 * model.EmbeddingSize).ToArray(), Is.Not.EqualTo(memory.AsSpan(5 * model.EmbeddingSize, 5 * model.EmbeddingSize).ToArray()));
        }
    }

    [Test]
    public void Views_that_cannot_be_are_refused()
    {
        Assert.That(() => Recipe("camsat", RoundStart.Scratch, "rounds.views=1"), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("rounds.views = 1"));
        Assert.That(
            () => Recipe("camsat", RoundStart.Scratch, "rounds.normalization=standardized"),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("rounds.normalization = standardized"));
        Assert.That(() => Recipe("imsat", RoundStart.Scratch, "rounds.normalization=standardized"), Throws.Nothing);
    }

    [Test]
    public void Memory_is_known_before_any_is_taken()
    {
        var recipe = ShippedRecipes.Load("openvoices-pseudo-labels", ["rounds.method=kmeans", "rounds.clusters=100", "encoder.width=8", "encoder.lastWidth=16", "training.batch=4"]);
        using var device = new CpuDevice(1);
        var small = PseudoLabelMemory.Estimate(recipe, 1000, device);
        var large = PseudoLabelMemory.Estimate(recipe, 2000, device);
        Assert.That(large.Clustering.Host - small.Clustering.Host, Is.GreaterThanOrEqualTo(1000L * 128 * 4 * 2));
        Assert.That(large.Clustering.Device, Is.Zero, "the CPU has no memory of its own");
        Assert.That(large.Training, Is.EqualTo(small.Training));
        var standardized = recipe with { Rounds = recipe.Rounds with { Clustering = recipe.Rounds.Clustering with { Normalization = RowNormalization.Standardized } } };
        Assert.That(PseudoLabelMemory.Estimate(standardized, 1000, device).Clustering.Host, Is.GreaterThan(small.Clustering.Host));
    }

    private Recipe Recipe(string method, RoundStart start, params string[] options) => TinyCorpus.Recipe(
    [
        "objective.kind=supervised", "data.views=1", "data.pairing=random", "objective.margin=0.2", "objective.mix.kind=pooled", "training.epochs=3", "data.labels.smallestCluster=1",
        "rounds.count=2", $"rounds.method={method}", "rounds.clusters=12", $"rounds.start={(start == RoundStart.Scratch ? "scratch" : "previous")}", $"rounds.model={_folder.At("first")}", .. options,
    ]);

    // Stops after so many steps; whether all rounds were finished.
    private static bool Run(PseudoLabelRounds rounds, int steps)
    {
        using var stop = new CancellationTokenSource();
        var witness = new Witness(_ =>
        {
            if (--steps <= 0)
            {
                stop.Cancel();
            }
        });
        try
        {
            for (int round = 1; round <= rounds.Count; round++)
            {
                using var device = new CpuDevice(1);
                rounds.Label(round, device, cancellation: stop.Token);
                rounds.Train(round, device, witness, stop.Token);
            }

            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
