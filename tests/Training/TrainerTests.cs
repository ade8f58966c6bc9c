using System.Text.Json;
using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Recipes;

namespace Spk.Tests.TrainingRuns;

public class TrainerTests
{
    private string _folder = "";

    private static Recipe Smallest => TinyCorpus.Recipe("training.epochs=1000", "training.batch=4", "data.cropSeconds=0.25", "features.bins=16", "encoder.width=4", "encoder.lastWidth=4");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("spk-run-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void A_run_may_build_on_another_that_stopped_early()
    {
        Train("straight", TinyCorpus.Recipe("training.epochs=3"));
        Assert.That(Train("stage", TinyCorpus.Recipe("training.epochs=3", "training.stopAfterEpochs=1")).End, Is.EqualTo(TrainingEnd.StepLimit));
        Continue("same", TinyCorpus.Recipe("training.epochs=3"));
        Continue("other", TinyCorpus.Recipe("training.epochs=3", "objective.margin=0.2"));
        byte[] Latest(string run) => File.ReadAllBytes(new RunFolder(Path.Combine(_folder, run)).Latest);
        Assert.That(Latest("same"), Is.EqualTo(Latest("straight")), "both stages together are one run");
        Assert.That(Latest("other"), Is.Not.EqualTo(Latest("straight")));
        Assert.That(Log("other").Count(l => l.GetProperty("kind").GetString() == "step"), Is.EqualTo(14), "the log begins where the stage ended");
        Assert.That(
            () => Continue("batch", TinyCorpus.Recipe("training.batch=4")), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("7 batches").And.Message.Contains("15"));
        Assert.That(
            () => Continue("shape", TinyCorpus.Recipe("encoder.width=4")), Throws.InstanceOf<SpkException>().With.Message.Contains("recipe's encoder"));

        void Continue(string run, Recipe recipe)
        {
            using var device = new CpuDevice(2);
            using var trainer = Trainer.OpenFrom(Path.Combine(_folder, "stage"), recipe, Path.Combine(_folder, run), device);
            trainer.Run();
        }
    }

    [Test]
    public void A_list_whose_dialogues_are_all_mixed_trains_without_telling_anything()
    {
        var utterances = Manifest.Load(Path.Combine(TinyCorpus.Root, "train.csv")).Utterances;
        string list = Path.Combine(_folder, "mixed.csv");
        new DialogueList(Enumerable.Range(0, 54).SelectMany(i => new[] { utterances[i], utterances[i + 6] }.Where((_, k) => i / 6 % 2 == 0)
            .Select(u => new DialogueEntry(u.Id, $"d{i}", TrueSpeaker: u.Speaker)))).WriteCsv(list);
        Train("mixed", TinyCorpus.Recipe(
            "data.rows=dialogues", $"data.dialogues={list}", "objective.kind=ava", "objective.dialogue.rejection.kind=standardized", "training.batch=4", "training.epochs=1"));
        var epoch = Log("mixed").Single(l => l.GetProperty("kind").GetString() == "epoch");
        Assert.That(epoch.GetProperty("mixedShare").GetDouble(), Is.EqualTo(1));
        Assert.That(epoch.GetProperty("mixedWeightShare").GetDouble(), Is.EqualTo(1));
        Assert.That(epoch.TryGetProperty("compactnessAuc", out var auc) && auc.ValueKind == JsonValueKind.Number, Is.False, "there is nothing to tell apart");
        Assert.That(epoch.GetProperty("loss").GetDouble(), Is.GreaterThan(0));
    }

    [Test]
    public void A_run_leaves_recipe_log_checkpoints_and_curves()
    {
        var witness = new Witness();
        var outcome = Train("run", TinyCorpus.Recipe("training.epochs=2", "evaluation.everyEpochs=1"), witness);
        var folder = new RunFolder(Path.Combine(_folder, "run"));
        var log = Log("run");
        Assert.Multiple(() =>
        {
            Assert.That(outcome.End, Is.EqualTo(TrainingEnd.Completed));
            Assert.That(outcome.Step, Is.EqualTo(14));
            Assert.That(outcome.Epochs, Is.EqualTo(2));
            Assert.That(outcome.BestEer, Is.Null);
            Assert.That(witness.Start!.BatchesPerEpoch, Is.EqualTo(7));
            Assert.That(witness.Steps.Select(s => s.Step), Is.EqualTo(Enumerable.Range(1, 14).Select(s => (long)s)));
            Assert.That(witness.Evaluations.Select(e => e.Epoch), Is.EqualTo(new[] { 0, 1, 2 }));
            Assert.That(witness.Checkpoints, Is.EqualTo(2));
            Assert.That(Recipe.Load(folder.Recipe).ToYaml(), Is.EqualTo(TinyCorpus.Recipe("training.epochs=2", "evaluation.everyEpochs=1").ToYaml()));
            Assert.That(File.Exists(folder.Latest) && File.Exists(folder.Previous) && !File.Exists(folder.Best));
            Assert.That(Directory.GetFiles(folder.TensorBoard), Has.Length.EqualTo(1));
            Assert.That(log.Count(l => Kind(l) == "step"), Is.EqualTo(14));
            Assert.That(log.Count(l => Kind(l) == "epoch"), Is.EqualTo(2));
            Assert.That(log.Count(l => Kind(l) == "eval"), Is.EqualTo(3));
            Assert.That(log.Where(l => Kind(l) == "step").All(l => l.GetProperty("loss").GetDouble() > 0 && l.GetProperty("utterancesPerSecond").GetDouble() > 0));
        });
    }

    [Test]
    public void A_run_that_stops_and_resumes_is_bit_for_bit_the_run_that_did_not()
    {
        Train("straight", TinyCorpus.Recipe("training.maximumSteps=40"));
        Train("parts", TinyCorpus.Recipe("training.maximumSteps=17"));
        var outcome = Train("parts", TinyCorpus.Recipe("training.maximumSteps=40"), resume: ResumeMode.Required);
        Assert.That(outcome.Step, Is.EqualTo(40));
        AssertSameCheckpoints("straight", "parts");
        Assert.That(StepsOf("parts"), Is.EqualTo(Enumerable.Range(1, 40)));
        Assert.That(LossesOf("parts"), Is.EqualTo(LossesOf("straight")));
    }

    [Test]
    public void A_run_that_dies_between_checkpoints_resumes_from_the_last_one()
    {
        string[] options = ["training.maximumSteps=40", "training.epochs=8", "training.checkpointEverySteps=5", "data.devSpeakers=2"];
        Train("straight", TinyCorpus.Recipe(options));
        var death = new Witness(status =>
        {
            if (status.Step == 18)
            {
                throw new TimeoutException("the process dies here");
            }
        });
        Assert.That(() => Train("dead", TinyCorpus.Recipe(options), death), Throws.TypeOf<TimeoutException>());
        Train("dead", TinyCorpus.Recipe(options));
        AssertSameCheckpoints("straight", "dead");
        Assert.That(StepsOf("dead"), Is.EqualTo(Enumerable.Range(1, 40)));
    }

    [TestCase(9, Description = "within an epoch")]
    [TestCase(14, Description = "between an epoch's last step and its evaluation")]
    public void Cancellation_writes_a_checkpoint_and_resuming_loses_nothing(int at)
    {
        string[] options = ["training.epochs=3", "data.devSpeakers=2", "training.batch=7"];
        Train("straight", TinyCorpus.Recipe(options));
        using var stop = new CancellationTokenSource();
        var witness = new Witness(status =>
        {
            if (status.Step == at)
            {
                stop.Cancel();
            }
        });
        var outcome = Train("cancelled", TinyCorpus.Recipe(options), witness, cancellation: stop.Token);
        Assert.That(outcome.End, Is.EqualTo(TrainingEnd.Cancelled));
        Assert.That(outcome.Step, Is.EqualTo(at));
        Assert.That(Train("cancelled", TinyCorpus.Recipe(options)).End, Is.EqualTo(TrainingEnd.Completed));
        AssertSameCheckpoints("straight", "cancelled");
    }

    [Test]
    public void Thread_counts_give_the_same_bits()
    {
        Train("one", TinyCorpus.Recipe("training.maximumSteps=12"), threads: 1);
        Train("two", TinyCorpus.Recipe("training.maximumSteps=12"), threads: 2);
        Train("three", TinyCorpus.Recipe("training.maximumSteps=12"), threads: 3);
        AssertSameCheckpoints("one", "two");
        AssertSameCheckpoints("one", "three");
    }

    [Test]
    public void Another_seed_gives_another_run()
    {
        Train("one", TinyCorpus.Recipe("training.maximumSteps=2"));
        Train("two", TinyCorpus.Recipe("training.maximumSteps=2", "training.seed=2"));
        Assert.That(LossesOf("one"), Is.Not.EqualTo(LossesOf("two")));
    }

    [TestCase("objective.kind=simClr")]
    [TestCase("objective.kind=supervised", "objective.marginKind=none", "objective.scale=10")]
    [TestCase("encoder.kind=ecapa", "encoder.scale=2", "encoder.bottleneck=4", "encoder.width=8")]
    public void Training_lowers_the_loss(params string[] options)
    {
        var witness = new Witness();
        Train("run", TinyCorpus.Recipe(
            [
                "data.augmentation.reverbProbability=0", "data.augmentation.noiseProbability=0", "encoder.width=24", "encoder.lastWidth=48",
                "encoder.embeddingSize=16", "training.epochs=15", "schedule.learningRate=4e-3", .. options,
            ]), witness);
        double first = witness.Steps.Take(5).Average(s => s.Loss), last = witness.Steps.TakeLast(5).Average(s => s.Loss);
        Assert.That(last, Is.LessThan(0.8 * first));
        var epochs = Log("run").Where(l => Kind(l) == "epoch").Select(l => l.GetProperty("cosPositive").GetDouble() - l.GetProperty("cosNegative").GetDouble()).ToList();
        Assert.That(epochs[^1], Is.GreaterThan(epochs[0] + 0.05), "positive minus negative cosine");
    }

    [Test, Category("Slow")]
    public void The_demo_recipe_learns_voices_it_has_never_heard()
    {
        string voices = Path.Combine(_folder, "voices");
        SyntheticVoices.Generate(voices, new SyntheticVoicesSpec { Speakers = 48, EvaluationSpeakers = 16, UtterancesPerSpeaker = 8, SessionsPerSpeaker = 2 });
        var witness = new Witness();
        Train("run", Recipe.Load(Repository.Path("recipes", "demo.yaml"), [$"data.root={voices}", "evaluation.everyEpochs=100"]), witness);
        double untrained = witness.Evaluations[0].Eer, trained = witness.Evaluations[^1].Eer;
        Assert.That(trained, Is.LessThan(0.3).And.LessThan(0.7 * untrained), $"EER {untrained:P1} before training");

        using var device = new CpuDevice();
        var model = SpeakerModel.Load(Path.Combine(_folder, "run"), device);
        var again = TrialSet.Open(Path.Combine(voices, "trials.txt"), voices).Evaluate(model, out _);
        Assert.That(again.Eer, Is.EqualTo(trained), "the checkpoint gives what training reported");
    }

    [Test]
    public void A_non_finite_parameter_stops_the_step_and_spares_the_checkpoints()
    {
        var recipe = TinyCorpus.Recipe("training.maximumSteps=8");
        Train("run", recipe);
        string latest = new RunFolder(Path.Combine(_folder, "run")).Latest;
        byte[] before = File.ReadAllBytes(latest);
        using var device = new CpuDevice(1);
        using var trainer = Trainer.Open(TinyCorpus.Recipe(), Path.Combine(_folder, "run"), device);
        var weight = trainer.Pipeline.Parameters.Trainable.First(p => p.Name.Contains("weight", StringComparison.Ordinal));
        weight.Value.AsSpan()[3] = float.NaN;
        var error = Assert.Throws<NonFiniteException>(() => trainer.Run());
        Assert.That(error!.Message, Does.StartWith($"Step 9: parameter {weight.Name} is NaN at element 3 of"));
        Assert.That(File.ReadAllBytes(latest), Is.EqualTo(before));
    }

    [Test]
    public void Parameters_that_are_not_finite_are_never_saved()
    {
        using var device = new CpuDevice(1);
        using var stop = new CancellationTokenSource();
        using var trainer = Trainer.Open(TinyCorpus.Recipe(), Path.Combine(_folder, "run"), device);
        string name = trainer.Pipeline.Parameters.Buffers[0].Name;
        var witness = new Witness(_ =>
        {
            trainer.Pipeline.Parameters.Buffers[0].Value.AsSpan()[0] = float.PositiveInfinity;
            stop.Cancel();
        });
        var error = Assert.Throws<NonFiniteException>(() => trainer.Run(witness, stop.Token));
        Assert.That(error!.Message, Does.Contain($"parameter {name} is Infinity"));
        Assert.That(new RunFolder(Path.Combine(_folder, "run")).HasCheckpoint, Is.False);
    }

    [Test]
    public void Patience_ends_a_run_that_does_not_improve_and_the_best_checkpoint_stays()
    {
        // A rate this small changes nothing, so every evaluation after the first is no improvement.
        var recipe = TinyCorpus.Recipe(
            "data.devSpeakers=3", "evaluation.patience=2", "schedule.kind=constant", "schedule.learningRate=1e-9", "training.epochs=50");
        var witness = new Witness();
        var outcome = Train("run", recipe, witness);
        var folder = new RunFolder(Path.Combine(_folder, "run"));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.End, Is.EqualTo(TrainingEnd.EarlyStopped));
            Assert.That(outcome.Epochs, Is.LessThan(50));
            Assert.That(outcome.BestEer, Is.EqualTo(witness.Evaluations.Skip(1).Min(e => e.Eer)));
            Assert.That(witness.Evaluations.Count(e => e.IsBest), Is.GreaterThanOrEqualTo(1));
            Assert.That(File.Exists(folder.Best));
        });
        Assert.That(Train("run", recipe).Step, Is.EqualTo(outcome.Step), "a run that has stopped stays stopped");
    }

    [Test]
    public void Development_speakers_are_never_trained_on()
    {
        var recipe = TinyCorpus.Recipe("data.devSpeakers=3", "training.maximumSteps=1");
        var witness = new Witness();
        Train("run", recipe, witness);
        Assert.That(witness.Start!.Utterances, Is.EqualTo(42));
        Assert.That(witness.Start.Speakers, Is.EqualTo(7));
        Assert.That(witness.Start.BatchesPerEpoch, Is.EqualTo(5));
    }

    [Test]
    public void Resuming_with_another_recipe_names_the_field()
    {
        Train("run", TinyCorpus.Recipe("training.maximumSteps=2"));
        var error = Assert.Throws<InvalidOptionException>(() => Train("run", TinyCorpus.Recipe("encoder.width=16")));
        Assert.That(error!.Message, Does.Contain("latest.safetensors was trained with encoder.width = 8, the recipe says 16:"));
    }

    [Test]
    public void Resuming_on_another_corpus_is_refused()
    {
        Train("run", TinyCorpus.Recipe("training.maximumSteps=2"));
        string list = Path.Combine(_folder, "short.csv");
        File.WriteAllLines(list, File.ReadLines(Path.Combine(TinyCorpus.Root, "train.csv")).Take(50));
        Assert.That(() => Train("run", TinyCorpus.Recipe($"data.train={list}")),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("was trained on another corpus (60 utterances"));
    }

    [Test]
    public void Resuming_nothing_is_an_error_only_where_it_is_required()
    {
        Assert.That(() => Train("none", TinyCorpus.Recipe(), resume: ResumeMode.Required),
            Throws.TypeOf<DataFormatException>().With.Message.EndsWith("holds no checkpoint to resume from."));
    }

    [Test]
    public void Restarting_removes_the_old_run()
    {
        Train("run", TinyCorpus.Recipe("training.maximumSteps=9"));
        Train("run", TinyCorpus.Recipe("training.maximumSteps=2", "encoder.width=16"), resume: ResumeMode.Restart);
        Assert.That(StepsOf("run"), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(File.Exists(new RunFolder(Path.Combine(_folder, "run")).Previous), Is.False);
    }

    [Test]
    public void A_folder_that_cannot_be_made_is_named()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        Assert.That(() => Train("file/run", TinyCorpus.Recipe()), Throws.TypeOf<SpkException>().With.Message.StartsWith("Cannot write to the run folder"));
    }

    [Test]
    public void A_missing_trial_list_is_found_before_the_first_step()
    {
        var witness = new Witness();
        Assert.That(() => Train("run", TinyCorpus.Recipe("evaluation.everyEpochs=1", "evaluation.trials=none.txt"), witness),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("none.txt"));
        Assert.That(witness.Steps, Is.Empty);
    }

    [Test]
    public void Crops_too_short_for_the_encoder_are_refused_with_both_numbers()
    {
        Assert.That(() => Train("run", TinyCorpus.Recipe("data.cropSeconds=0.1")),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("data.cropSeconds = 0.1 gives 11 frames, the encoder needs"));
    }

    [Test]
    public void A_step_allocates_nothing_in_steady_state()
    {
        // On two threads, log and curves included; epochs end within a hundred steps.
        using var device = new CpuDevice(2);
        using var trainer = Trainer.Open(Smallest, Path.Combine(_folder, "run"), device);
        using var session = new TrainingSession(trainer.Pipeline, new RunFolder(Path.Combine(_folder, "run")), 0, null, "cpu");
        long step = 0;
        Allocations.AssertNone(() => session.Step(step++), period: 100);
    }

    [Test]
    public void A_step_on_one_thread_allocates_nothing_at_all()
    {
        using var device = new CpuDevice(1);
        using var trainer = Trainer.Open(Smallest, Path.Combine(_folder, "run"), device);
        using var session = new TrainingSession(trainer.Pipeline, new RunFolder(Path.Combine(_folder, "run")), 0, null, "cpu");
        long step = 0;
        while (step < 100)
        {
            session.Step(step++);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        while (step < 200)
        {
            session.Step(step++);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private TrainingOutcome Train(
        string run, Recipe recipe, ITrainingProgress? progress = null, ResumeMode resume = ResumeMode.Auto, int threads = 2, CancellationToken cancellation = default)
    {
        using var device = new CpuDevice(threads);
        using var trainer = Trainer.Open(recipe, Path.Combine(_folder, run), device, resume, cancellation: CancellationToken.None);
        return trainer.Run(progress, cancellation);
    }

    private void AssertSameCheckpoints(string first, string second)
    {
        foreach (string name in new[] { "latest", "best" })
        {
            string a = Path.Combine(_folder, first, "checkpoints", name + ".safetensors"), b = Path.Combine(_folder, second, "checkpoints", name + ".safetensors");
            Assert.That(File.Exists(b), Is.EqualTo(File.Exists(a)), name);
            if (File.Exists(a))
            {
                Assert.That(File.ReadAllBytes(b), Is.EqualTo(File.ReadAllBytes(a)), $"bytes of {name}.safetensors");
            }
        }
    }

    private List<JsonElement> Log(string run) => [.. File.ReadAllLines(Path.Combine(_folder, run, "log.jsonl")).Select(l => JsonDocument.Parse(l).RootElement)];

    private IEnumerable<int> StepsOf(string run) => Log(run).Where(l => Kind(l) == "step").Select(l => l.GetProperty("step").GetInt32());

    private IEnumerable<double> LossesOf(string run) => Log(run).Where(l => Kind(l) == "step").Select(l => l.GetProperty("loss").GetDouble());

    private static string Kind(JsonElement line) => line.GetProperty("kind").GetString()!;
}
