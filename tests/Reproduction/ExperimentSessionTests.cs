using NUnit.Framework;
using Spk.Engine.Alignment;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training.Alignment;
using Spk.Training.Reproduction;

namespace Spk.Tests.Reproduction;

public class ExperimentSessionTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void Stopped_anywhere_it_goes_on_and_finds_what_it_would_have_found()
    {
        var straight = ExperimentSession.Open(TinyExperiment.Make(1), TinyExperiment.In(_folder.At("straight")));
        Execute(straight);

        // Stopped in every run in turn: each attempt finishes what the one before began.
        var experiment = TinyExperiment.Make(1);
        int attempts = 0;
        while (attempts++ < 20)
        {
            var session = ExperimentSession.Open(experiment, TinyExperiment.In(_folder.At("stopped")));
            string[] finished = [.. session.Runs.Where(r => r.IsFinished).Select(r => r.Folder.Latest)];
            DateTime[] written = [.. finished.Select(File.GetLastWriteTimeUtc)];
            try
            {
                Execute(session, stopAfter: 1);
                Assert.That(finished.Select(File.GetLastWriteTimeUtc), Is.EqualTo(written), "finished runs are not repeated");
                break;
            }
            catch (OperationCanceledException)
            {
                Assert.That(finished.Select(File.GetLastWriteTimeUtc), Is.EqualTo(written), "finished runs are not repeated");
            }
        }

        // A step each: two of the stage, four of each system; the last attempt only scores.
        Assert.That(attempts, Is.EqualTo(2 + 4 + 4 + 1));
        var stopped = ExperimentSession.Open(experiment, TinyExperiment.In(_folder.At("stopped")));
        Assert.That(stopped.Runs.Select(r => r.IsFinished), Is.All.True);
        foreach (var (a, b) in straight.Runs.Zip(stopped.Runs))
        {
            Assert.That(File.ReadAllBytes(b.Folder.Scores), Is.EqualTo(File.ReadAllBytes(a.Folder.Scores)), a.System.Name);
        }

        string[] Claims(ExperimentSession s) => [.. s.Judge().Corpora[0].Claims.Select(c => $"{c.Claim.Statement} {c.Value} {c.Reference} {c.Verdict} {c.Comparison}")];
        Assert.That(Claims(stopped), Is.EqualTo(Claims(straight)));
    }

    [Test]
    public void Verdicts_come_from_the_finished_seeds()
    {
        var session = ExperimentSession.Open(TinyExperiment.Make(1, 2), TinyExperiment.In(_folder.Root));
        Assert.That(session.Judge().Corpora, Is.Empty);
        session.MakeCorpora();
        using var device = new CpuDevice(1);
        foreach (var run in session.Runs.Take(3))
        {
            session.Execute(run, device);
        }

        Assert.That(session.RemainingAfter(session.Runs[3])!.Value, Is.GreaterThan(TimeSpan.Zero));
        var corpus = session.Judge().Corpora.Single();
        Assert.That(corpus.Claims.Select(c => c.Seeds.Count), Is.All.EqualTo(1));
        Assert.That(corpus.Claims[0].Comparison!.Difference, Is.EqualTo(corpus.Systems[2].Mean(Measure.Eer) - corpus.Systems[1].Mean(Measure.Eer)).Within(1e-12));
        Assert.That(corpus.Claims.Skip(1).Select(c => c.Verdict), Is.All.EqualTo(Verdict.Inconclusive), "one seed is not enough");
        Assert.That(corpus.Systems.Select(s => s.Runs[0].Figures.Steps), Is.EqualTo(new[] { 2L, 6L, 6L }));
        Assert.That(corpus.Systems[0].Runs[0].Figures.Quantities.Keys, Is.SupersetOf(new[] { "loss", "cosPositive", "speakerNmi", "sessionNmi" }));
        Assert.That(() => session.Execute(session.Runs[4], device), Throws.TypeOf<InvalidOperationException>().With.Message.Contains("not finished"));

        foreach (var run in session.Runs)
        {
            session.Execute(run, device);
        }

        corpus = session.Judge().Corpora.Single();
        Assert.That(corpus.Claims.Select(c => c.Seeds.Count), Is.All.EqualTo(2));
        Assert.That(corpus.Claims.Skip(1).Select(c => c.Verdict), Is.EqualTo(new[] { Verdict.Reproduced, Verdict.NotReproduced }));
    }

    [Test]
    public void A_system_fine_tunes_the_encoder_of_another_and_pairs_are_judged_together()
    {
        var tiny = TinyExperiment.Make(1, 2);
        var experiment = tiny with
        {
            Systems =
            [
                .. tiny.Systems.Take(2),
                new("tuned", "tuned", "data.rows=speakers", "data.limitSpeakers=3", "training.batch=3", "training.epochs=2", "encoder.width=16") { Recipe = "openvoices-finetune-ge2e", FineTunes = "plain" },
                new("scratch", "from scratch", "data.rows=speakers", "data.limitSpeakers=3", "training.batch=3", "training.epochs=2") { Recipe = "openvoices-finetune-ge2e" },
            ],
            Claims =
            [
                Claim.Lower(Measure.Eer, [new("tuned", "scratch"), new("plain", "scratch")], "Both are better."),
                Claim.Lower(Measure.LogEer, "tuned", "scratch", "So it is relatively."),
            ],
            Reductions = [new("Reductions", "system", ["here"], [new("tuned", [new("tuned", "scratch")]), new("scratch", [new("scratch", "scratch")])])],
        };
        var session = ExperimentSession.Open(experiment, TinyExperiment.In(_folder.Root));
        session.MakeCorpora();
        using var device = new CpuDevice(1);
        var tuned = session.Runs.First(r => r.System.Name == "tuned");
        Assert.That(tuned.Recipe.Encoder.Width, Is.EqualTo(4), "the encoder is that of the other system");
        Assert.That(tuned.Recipe.FineTune.Model, Is.EqualTo(tuned.Pretrained!.Folder.Path));
        Assert.That(() => session.Execute(tuned, device), Throws.TypeOf<InvalidOperationException>().With.Message.Contains("not finished"));
        foreach (var run in session.Runs)
        {
            session.Execute(run, device);
        }

        var corpus = session.Judge().Corpora.Single();
        double Eer(string name) => corpus.Systems.Single(s => s.System.Name == name).Mean(Measure.Eer);
        Assert.That(corpus.Claims[0].Value, Is.EqualTo((Eer("tuned") + Eer("plain")) / 2).Within(1e-12));
        Assert.That(corpus.Claims[0].Reference, Is.EqualTo(Eer("scratch")).Within(1e-12));
        Assert.That(corpus.Claims[0].Seeds, Has.Count.EqualTo(2));
        Assert.That(
            corpus.Claims[1].Comparison!.Second,
            Is.EqualTo(corpus.Systems.Single(s => s.System.Name == "tuned").Runs.Average(r => Math.Log(Math.Max(1e-4, r.Evaluation.Eer)))).Within(1e-9));
        Assert.That(corpus.Reduction(new("tuned", "scratch")), Is.EqualTo(1 - (Eer("tuned") / Eer("scratch"))).Within(1e-12));
        Assert.That(corpus.Reduction(new("scratch", "scratch")), Is.Zero);
        Assert.That(corpus.Reduction(new("margin", "scratch")), Is.NaN, "what was not trained has none");

        string[] page = ReproductionReport.Make(session.Judge(), "spk reproduce tiny").ToMarkdown().Split('\n');
        Assert.That(page, Has.Some.EqualTo("| system | here |"));
        Assert.That(page, Has.Some.StartsWith("| scratch | 0 (EER "));
        Assert.That(page, Has.Some.Contains("fine-tunes plain; "));
    }

    [Test]
    public void Systems_can_be_alignments_of_two_others()
    {
        var plain = TinyExperiment.Make(1, 2);
        var experiment = plain with
        {
            EnrolmentUtterances = 2,
            Corpora = [plain.Corpora[0] with { Voices = plain.Corpora[0].Voices! with { Speakers = 12, EvaluationSpeakers = 5 } }],
            Systems =
            [
                new("old", "old", "data.speakerPart=1/3", "training.epochs=1"),
                new("new", "new", "data.speakerPart=2/3", "encoder.embeddingSize=6", "training.epochs=1"),
                Aligned("turned", new AlignmentSpec { Variant = AlignmentVariant.Procrustes }),
                Aligned("shared", new AlignmentSpec { Epochs = 2, Hidden = 8, HeldBack = 0 }),
            ],
            Measures = [Measure.Eer, Measure.FrrAtFar10],
            Claims = [Claim.Lower(Measure.Eer, "shared", "turned", "Networks are better."), Claim.Recovers(Measure.Eer, "shared", 0.6, "They recover most.")],
        };
        var session = ExperimentSession.Open(experiment, TinyExperiment.In(_folder.Root));
        Execute(session);
        var corpus = session.Judge().Corpora.Single();

        // Five profiles against two further utterances of each speaker.
        Assert.That(corpus.Systems.SelectMany(s => s.Runs).Select(r => (r.Evaluation.Trials, r.Evaluation.Targets, r.Evaluation.Speakers)), Is.All.EqualTo((50, 10, 5)));
        Assert.That(corpus.Systems[3].Runs[0].Figures.Quantities["alignmentSpeakers"], Is.EqualTo(4));
        Assert.That(File.Exists(Path.Combine(corpus.Systems[3].Runs[0].Run.Folder.Path, "aligner.safetensors")));
        Assert.That(corpus.Gains.Select(g => (g.System.Name, g.Measure.Key)), Is.EqualTo(new[] { ("turned", "eer"), ("turned", "frrAtFar10"), ("shared", "eer"), ("shared", "frrAtFar10") }));
        double Mean(int system) => corpus.Systems[system].Mean(Measure.Eer);
        var claim = corpus.Claims[1];
        Assert.That(claim.Value, Is.EqualTo(Mean(0) > Mean(1) ? (Mean(0) - Mean(3)) / (Mean(0) - Mean(1)) : double.NaN).Within(1e-9));
        Assert.That(claim.Reference, Is.EqualTo(0.6).Within(1e-12));

        string page = ReproductionReport.Make(session.Judge(), "spk reproduce tiny").ToMarkdown();
        Assert.That(page, Does.Contain("Recovered gain").And.Contain("aligns old with new").And.Contain("Profiles of 2 utterances"));
        Assert.That(ReproductionFiles.ToJson(session.Judge())["corpora"]![0]!["recoveredGains"]!.AsArray(), Has.Count.EqualTo(4));

        var other = experiment with { Systems = [.. experiment.Systems.Take(3), Aligned("shared", new AlignmentSpec { Epochs = 3, Hidden = 8, HeldBack = 0 })] };
        Assert.That(() => ExperimentSession.Open(other, TinyExperiment.In(_folder.Root)), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("alignment"));
        Assert.That(
            () => ExperimentSession.Open(experiment with { Systems = [experiment.Systems[2], .. experiment.Systems.Take(2)] }, TinyExperiment.In(_folder.At("x"))),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("aligns old"));
        Assert.That(
            () => ExperimentSession.Open(experiment with { Claims = [Claim.Recovers(Measure.Eer, "new", 0.6, "x")] }, TinyExperiment.In(_folder.At("x"))),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("no alignment"));

        static ExperimentSystem Aligned(string name, AlignmentSpec spec) => new(name, name, "data.speakerPart=3/3") { Alignment = new ExperimentAlignment("old", "new", spec) };
    }

    [Test]
    public void A_folder_of_other_runs_is_refused()
    {
        var experiment = TinyExperiment.Make(1);
        var session = ExperimentSession.Open(experiment, TinyExperiment.In(_folder.Root));
        session.MakeCorpora();
        using var device = new CpuDevice(1);
        session.Execute(session.Runs[0], device);
        Assert.That(
            () => ExperimentSession.Open(experiment, TinyExperiment.In(_folder.Root) with { Overrides = ["training.batch=4"] }),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("training.batch = 8").And.Message.Contains("asked for is 4").And.Message.Contains("--out"));
        var other = experiment with { Corpora = [experiment.Corpora[0] with { Voices = experiment.Corpora[0].Voices! with { Seed = 2 } }] };
        Assert.That(
            () => ExperimentSession.Open(other, TinyExperiment.In(_folder.Root)).MakeCorpora(), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("other voices"));
        File.WriteAllText(session.Runs[0].Folder.Path + "/figures.json", "{}");
        Assert.That(() => session.Judge(), Throws.TypeOf<DataFormatException>().With.Message.Contains("figures.json"));
    }

    [Test]
    public void Options_that_do_not_fit_are_refused()
    {
        string Refuses(ExperimentOptions options) =>
            Assert.Throws<InvalidOptionException>(() => ExperimentSession.Open(TinyExperiment.Make(1), options))!.Message;
        var fine = TinyExperiment.In(_folder.Root);
        Assert.That(Refuses(fine with { Corpora = ["voices", "moon"] }), Does.Contain("'moon'").And.Contain("voices, recorded"));
        Assert.That(Refuses(fine with { Corpora = ["recorded"] }), Does.Contain("--data"));
        Assert.That(Refuses(fine with { Corpora = ["voices"], Data = "somewhere" }), Does.Contain("leave out --data"));
        Assert.That(Refuses(fine with { Seeds = [1, 1] }), Does.Contain("seed twice"));
        Assert.That(Refuses(fine with { Overrides = ["training.seed=3"] }), Does.Contain("--seeds"));
        Assert.That(Refuses(fine with { Overrides = ["objective.margins=3"] }), Does.Contain("objective.margin?"));
        Assert.That(
            () => ExperimentSession.Open(TinyExperiment.Make(1), fine with { Data = _folder.At("nowhere") }),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("trials.txt"));
        Assert.That(Directory.GetFileSystemEntries(_folder.Root), Is.Empty, "nothing is written before all is well");
    }

    [Test]
    public void Declarations_that_contradict_themselves_are_refused()
    {
        string Refuses(Experiment experiment) => Assert.Throws<InvalidOptionException>(experiment.Validate)!.Message;
        var fine = TinyExperiment.Make(1);
        Assert.That(Refuses(fine with { Systems = [.. fine.Systems, fine.Systems[0]] }), Does.Contain("stage occurs twice"));
        Assert.That(Refuses(fine with { Systems = [fine.Systems[1], fine.Systems[0], fine.Systems[2]] }), Does.Contain("plain continues stage"));
        Assert.That(Refuses(fine with { Claims = [Claim.Lower(Measure.Eer, "plain", "other", "x")] }), Does.Contain("other"));
        Assert.That(Refuses(fine with { Claims = [Claim.Lower(Measure.Eer, [], "y")] }), Does.Contain("names no system"));
        Assert.That(Refuses(fine with { Systems = [new("tuned", "tuned") { FineTunes = "plain" }, .. fine.Systems] }), Does.Contain("tuned fine-tunes plain"));
        Assert.That(Refuses(fine with { Systems = [.. fine.Systems, new("both", "both") { FineTunes = "plain", Continues = "stage" }] }), Does.Contain("both continues and fine-tunes"));
        Assert.That(Refuses(fine with { Reductions = [new("g", "", ["a"], [new("r", [new("plain", "moon")])])] }), Does.Contain("moon"));
        Assert.That(Refuses(fine with { Reductions = [new("g", "", ["a", "b"], [new("r", [new("plain", "plain")])])] }), Does.Contain("other lengths"));
        Assert.That(Refuses(fine with { Corpora = [] }), Does.Contain("no corpus"));
    }

    [Test]
    public void Shipped_experiments_can_be_planned([Values] bool quick)
    {
        // The corpus at hand needs no more than a trial list to be planned with.
        _folder.Text("data/trials.txt", "");
        _folder.Text("data/eval.csv", "");
        foreach (var experiment in ExperimentCatalog.All)
        {
            string? data = experiment.Corpora.Any(c => c.Voices is null) ? _folder.At("data") : null;
            var session = ExperimentSession.Open(experiment, TinyExperiment.In(_folder.At("out")) with { Data = data, Quick = quick });
            Assert.That(session.Runs, Is.Not.Empty);
            Assert.That(session.Runs.Select(r => r.Folder.Path), Is.Unique);
            Assert.That(session.Plan.Claims, Is.Not.Empty);
            Assert.That(session.Seeds, Has.Count.GreaterThanOrEqualTo(quick ? 2 : 3));
        }
    }

    private static void Execute(ExperimentSession session, int stopAfter = int.MaxValue)
    {
        session.MakeCorpora();
        using var device = new CpuDevice(1);
        using var stop = new CancellationTokenSource();
        int steps = 0;
        var witness = new Witness(_ =>
        {
            if (++steps >= stopAfter)
            {
                stop.Cancel();
            }
        });
        foreach (var run in session.Runs)
        {
            session.Execute(run, device, witness, cancellation: stop.Token);
        }
    }
}
