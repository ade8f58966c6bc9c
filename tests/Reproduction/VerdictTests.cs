using NUnit.Framework;
using Spk.Engine.Scoring;
using Spk.Tests.Evaluation;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Reproduction;

namespace Spk.Tests.Reproduction;

public class VerdictTests
{
    [TestCase(2.2f, 1.0f, true, Verdict.Reproduced)]
    [TestCase(1.0f, 2.2f, true, Verdict.NotReproduced)]
    [TestCase(2.2f, 1.0f, false, Verdict.NotReproduced)]
    [TestCase(1.0f, 2.2f, false, Verdict.Reproduced)]
    [TestCase(1.4f, 1.4f, true, Verdict.Inconclusive)]
    public void The_interval_decides(float noiseOfOther, float noiseOfSystem, bool claimedLower, Verdict verdict)
    {
        var (trials, other) = TrialEvaluationTests.Voices(speakers: 20, utterances: 5, noiseOfOther);
        var (_, system) = TrialEvaluationTests.Voices(speakers: 20, utterances: 5, noiseOfSystem);
        var comparison = SystemComparison.Run(trials, TrialEvaluation.Score(trials, other), TrialEvaluation.Score(trials, system));
        Assert.That(VerdictRule.Of(comparison, claimedLower), Is.EqualTo(verdict), $"{comparison}");
    }

    [Test]
    public void Without_an_interval_nothing_is_decided()
    {
        Trial[] trials = [new(true, "a1/x", "a1/y"), new(false, "a1/x", "b1/z")];
        var comparison = SystemComparison.Run(trials, [0f, 1f], [1f, 0f], new EvaluationOptions { BootstrapDraws = 0 });
        Assert.That(comparison.Difference, Is.LessThan(0));
        Assert.That(VerdictRule.Of(comparison, secondIsLower: true), Is.EqualTo(Verdict.Inconclusive));
    }

    [TestCase(new[] { 0.1, 0.2 }, Verdict.Reproduced)]
    [TestCase(new[] { -0.1, -0.2 }, Verdict.NotReproduced)]
    [TestCase(new[] { 0.1, -0.2 }, Verdict.Inconclusive)]
    [TestCase(new[] { 0.1, 0.0 }, Verdict.Inconclusive)]
    [TestCase(new[] { 0.1, double.NaN }, Verdict.Inconclusive)]
    [TestCase(new[] { 0.1 }, Verdict.Inconclusive)]
    [TestCase(new double[0], Verdict.Inconclusive)]
    public void Numbers_decide_where_all_seeds_agree(double[] margins, Verdict verdict) => Assert.That(VerdictRule.Of(margins), Is.EqualTo(verdict));

    [Test]
    public void Every_measure_of_a_draw_is_that_of_the_trials_repeated([Values] ScoreMeasure measure)
    {
        var (trials, table) = TrialEvaluationTests.Voices(16, 4, 1.5f);
        float[] scores = TrialEvaluation.Score(trials, table);
        bool[] labels = [.. trials.Select(t => t.IsTarget)];
        var bootstrap = new SpeakerBootstrap(trials, new EvaluationOptions { Seed = 3 });
        var measured = new MeasuredScores(RankedTrials.Rank(scores, labels), bootstrap, measure);
        double threshold = VerificationMetrics.Compute(scores, labels).EerThreshold;
        int[] once = [.. Enumerable.Range(0, trials.Count)];
        Assert.That(measured.Value, Is.EqualTo(Naive(once)).Within(1e-12));

        var speakers = trials.SelectMany(t => new[] { t.Enrolment, t.Test }).Select(SpeakerFolders.Speaker).Distinct().ToList();
        var multiplicity = new int[bootstrap.Speakers];
        for (int draw = 0; draw < 10; draw++)
        {
            bootstrap.Draw(draw, multiplicity);
            int[] repeated = [.. once.SelectMany(i => Enumerable.Repeat(i, Times(trials[i])))];
            Assert.That(measured.Draw(multiplicity, new int[trials.Count]), Is.EqualTo(Naive(repeated)).Within(1e-12), $"draw {draw}");
        }

        int Times(Trial trial)
        {
            int a = speakers.IndexOf(SpeakerFolders.Speaker(trial.Enrolment)), b = speakers.IndexOf(SpeakerFolders.Speaker(trial.Test));
            return a == b ? multiplicity[a] : multiplicity[a] * multiplicity[b];
        }

        double Frr(VerificationMetrics metrics, double far) => metrics.CanMeasureFar(far) ? metrics.FrrAtFar(far) : double.NaN;

        double Naive(int[] of)
        {
            var metrics = VerificationMetrics.Compute([.. of.Select(i => scores[i])], [.. of.Select(i => labels[i])]);
            double[] same = [.. of.Where(i => labels[i]).Select(i => (double)scores[i])], different = [.. of.Where(i => !labels[i]).Select(i => (double)scores[i])];
            return measure switch
            {
                ScoreMeasure.Eer => metrics.Eer,
                ScoreMeasure.LogEer => Math.Log(Math.Max(1e-4, metrics.Eer)),
                ScoreMeasure.MinDcf01 => metrics.MinDcf(0.01),
                ScoreMeasure.MinDcf05 => metrics.MinDcf(0.05),
                ScoreMeasure.TargetCosine => same.Average(),
                ScoreMeasure.NonTargetCosine => different.Average(),
                ScoreMeasure.ScatterRatio => (1 - same.Average()) / (1 - different.Average()),
                ScoreMeasure.FrrAtFar01 => Frr(metrics, 0.01),
                ScoreMeasure.FrrAtFar02 => Frr(metrics, 0.02),
                ScoreMeasure.FrrAtFar05 => Frr(metrics, 0.05),
                ScoreMeasure.FrrAtFar10 => Frr(metrics, 0.1),
                ScoreMeasure.FalseRejections => same.Count(s => s < threshold) / (double)same.Length,
                _ => different.Count(s => s >= threshold) / (double)different.Length,
            };
        }
    }

    [Test]
    public void A_draw_without_one_kind_of_trial_has_no_measure([Values] ScoreMeasure measure)
    {
        Trial[] trials = [new(true, "a1/x", "a1/y"), new(false, "a1/x", "b1/z")];
        var bootstrap = new SpeakerBootstrap(trials, new EvaluationOptions());
        var measured = new MeasuredScores(RankedTrials.Rank([0.5f, 0.25f], [true, false]), bootstrap, measure);
        Assert.That(measured.Draw([2, 0], new int[2]), Is.NaN);
    }
}
