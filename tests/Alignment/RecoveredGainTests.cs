using NUnit.Framework;
using Spk.Engine.Alignment;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Training.Alignment;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Reproduction;

namespace Spk.Tests.Alignment;

public class RecoveredGainTests
{
    // Ten targets and a thousand non-targets at 0, 0.001, …; at FAR 10 % a hundred of them are accepted, and a target below 0.9 is rejected.
    private static readonly Trial[] Trials =
    [
        .. Enumerable.Range(0, 10).Select(i => new Trial(true, $"a{i}/x", $"a{i}/y")),
        .. Enumerable.Range(0, 1000).Select(i => new Trial(false, $"a{i % 10}/x", $"a{(i + 1 + (i / 10 % 9)) % 10}/y")),
    ];

    [Test]
    public void It_is_the_share_of_the_way_from_old_to_new()
    {
        // 6, 3 and 2 of ten targets lie below the threshold: (0.6 − 0.3) / (0.6 − 0.2) = 75 %.
        var gain = RecoveredGain.Run(Trials, [Scores(6)], [Scores(3)], [Scores(2)], ScoreMeasure.FrrAtFar10);
        Assert.That((gain.Base, gain.Asymmetric, gain.New), Is.EqualTo((0.6, 0.3, 0.2)));
        Assert.That(gain.Share, Is.EqualTo(0.75).Within(1e-12));
        Assert.That(gain.Interval!.Value.Low, Is.LessThan(0.75));
        Assert.That(gain.Interval!.Value.High, Is.GreaterThan(0.75));
    }

    [Test]
    public void Runs_are_averaged_before_the_share_is_taken()
    {
        var gain = RecoveredGain.Run(Trials, [Scores(6), Scores(8)], [Scores(3), Scores(4)], [Scores(2), Scores(0)], ScoreMeasure.FrrAtFar10, new EvaluationOptions { BootstrapDraws = 0 });
        Assert.That(gain.Share, Is.EqualTo((0.7 - 0.35) / (0.7 - 0.1)).Within(1e-12));
        Assert.That(gain.Interval, Is.Null);
    }

    [Test]
    public void Without_a_gain_there_is_nothing_to_recover()
    {
        var gain = RecoveredGain.Run(Trials, [Scores(2)], [Scores(1)], [Scores(2)], ScoreMeasure.FrrAtFar10);
        Assert.That(gain.Share, Is.NaN);
        Assert.That(VerdictRule.Of(gain with { Interval = null }, 0.6), Is.EqualTo(Verdict.Inconclusive));
        Assert.That(() => RecoveredGain.Run(Trials, [], [Scores(1)], [Scores(2)], ScoreMeasure.Eer), Throws.TypeOf<InvalidOptionException>());
    }

    [TestCase(0.61, 0.9, Verdict.Reproduced)]
    [TestCase(0.5, 0.9, Verdict.Inconclusive)]
    [TestCase(-2, 0.59, Verdict.NotReproduced)]
    public void The_interval_decides_a_claim_about_a_share(double low, double high, Verdict verdict) =>
        Assert.That(VerdictRule.Of(new RecoveredGain(0.6, 0.3, 0.2, new Interval(low, high), 0.95, 1000), 0.6), Is.EqualTo(verdict));

    [Test]
    public void An_evaluation_has_every_combination_of_the_models()
    {
        var (x, y) = TwoSpaces.Make(0, 30);
        using var device = new CpuDevice(1);
        var data = AlignmentData.Join(x, y, TwoSpaces.Speaker);
        var spec = new AlignmentSpec { Hidden = 32, Epochs = 10, HeldBack = 0, LearningRate = 3e-3 };
        KeyValuePair<string, Aligner>[] aligners =
        [
            new("c", AlignmentTrainer.Run(data, "old", "new", spec, device).Aligner),
            new("r", AlignmentTrainer.Run(data, "old", "new", spec with { Variant = AlignmentVariant.Procrustes }, device).Aligner),
        ];
        var (enrolment, runtime) = TwoSpaces.Make(100, 12);
        var trials = TwoSpaces.Trials(enrolment);
        var options = new EvaluationOptions { BootstrapDraws = 50 };
        var systems = AlignmentEvaluation.Run(trials, new ModelEmbeddings(enrolment, enrolment), new ModelEmbeddings(runtime, runtime), aligners, options);
        Assert.That(systems.Select(s => (s.Name, s.Aligner)), Is.EqualTo(new (string, string?)[]
        {
            ("old enrolment, old runtime", null), ("new enrolment, new runtime", null), ("old enrolment, new runtime", "c"), ("new enrolment, old runtime", "c"),
            ("old enrolment, new runtime", "r"), ("new enrolment, old runtime", "r"),
        }));
        Assert.That(systems[0].Result.Scores, Is.EqualTo(TrialEvaluation.Score(trials, enrolment)));
        Assert.That(systems[2].Result.Scores[7], Is.EqualTo(aligners[0].Value.Score(enrolment.Row(enrolment.IndexOf(trials[7].Enrolment)), runtime.Row(runtime.IndexOf(trials[7].Test)))).Within(1e-5));
        Assert.That(systems[3].Result.Scores[7], Is.EqualTo(aligners[0].Value.Score(enrolment.Row(enrolment.IndexOf(trials[7].Test)), runtime.Row(runtime.IndexOf(trials[7].Enrolment)))).Within(1e-5));
        double[] frr = [.. systems.Select(s => s.Result.FrrAtFar[3].Frr!.Value)];
        Assert.That(systems[2].Gains[3]!.Share, Is.EqualTo((frr[0] - frr[2]) / (frr[0] - frr[1])).Within(1e-9));
        var json = AlignmentReport.ToJson(systems);
        Assert.That((double)json[2]!["recoveredGain"]![3]!["share"]!, Is.EqualTo(systems[2].Gains[3]!.Share));
        Assert.That((string?)json[2]!["aligner"], Is.EqualTo("c"));
    }

    private static float[] Scores(int rejected) =>
    [
        .. Enumerable.Range(0, 10).Select(i => i < rejected ? 0.5f + (0.001f * i) : 2f),
        .. Enumerable.Range(0, 1000).Select(i => i * 0.001f),
    ];
}
