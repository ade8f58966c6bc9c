using NUnit.Framework;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Scoring;

public class CalibrationTests
{
    [Test]
    public void Cllr_and_actual_cost_are_their_closed_forms()
    {
        double[] ratios = [2, -1, 0.5, -3];
        bool[] labels = [true, true, false, false];
        double want = 0.5 * (((Math.Log2(1 + Math.Exp(-2)) + Math.Log2(1 + Math.Exp(1))) / 2) + ((Math.Log2(1 + Math.Exp(0.5)) + Math.Log2(1 + Math.Exp(-3))) / 2));
        Assert.Multiple(() =>
        {
            Assert.That(CalibrationMetrics.Cllr(ratios, labels), Is.EqualTo(want).Within(1e-14));
            Assert.That(CalibrationMetrics.Cllr([0, 0], [true, false]), Is.EqualTo(1).Within(1e-14));
            Assert.That(CalibrationMetrics.Cllr([800, -800], [true, false]), Is.Zero, "no overflow");
            Assert.That(CalibrationMetrics.Cllr([-800, 800], [true, false]), Is.EqualTo(800 / Math.Log(2)).Within(1e-9));

            // Threshold 0: one target missed, one non-target accepted.
            Assert.That(CalibrationMetrics.ActualDcf(ratios, labels, new DetectionCost(0.5)), Is.EqualTo(1.0).Within(1e-14));
            // Threshold log(99) rejects everything.
            Assert.That(CalibrationMetrics.ActualDcf(ratios, labels, DetectionCost.Prior01), Is.EqualTo(1.0).Within(1e-14));
            // Threshold log(1/4): the target at -1 is accepted at a price.
            Assert.That(CalibrationMetrics.ActualDcf(ratios, labels, new DetectionCost(0.8)), Is.EqualTo(((0.8 * 0) + (0.2 * 0.5)) / 0.2).Within(1e-12));
        });
    }

    [Test]
    public void Ratios_of_two_scores_are_their_relative_frequencies()
    {
        // With two distinct scores the line can meet both log-odds exactly: 3 of 4 targets and 1 of 5 non-targets score 1.
        float[] scores = [1, 1, 1, 0, 1, 0, 0, 0, 0];
        bool[] labels = [true, true, true, true, false, false, false, false, false];
        foreach (double prior in new[] { 0.5, 0.01 })
        {
            var fitted = Calibration.Fit(scores, labels, prior);
            Assert.That(fitted.LogLikelihoodRatio(1), Is.EqualTo(Math.Log(3.0 / 4 / (1.0 / 5))).Within(1e-6), $"prior {prior}");
            Assert.That(fitted.LogLikelihoodRatio(0), Is.EqualTo(Math.Log(1.0 / 4 / (4.0 / 5))).Within(1e-6));
        }

        // Isotonic regression meets them too, so that nothing is lost.
        var line = Calibration.Fit(scores, labels);
        var ranked = RankedTrials.Rank(scores, labels);
        Assert.That(CalibrationMetrics.Cllr(line.LogLikelihoodRatios(ranked.Scores), ranked.IsTarget), Is.EqualTo(CalibrationMetrics.MinCllr(ranked)).Within(1e-10));
    }

    [Test]
    public void Two_normals_of_one_width_have_the_line_of_theory()
    {
        // N(1.5, 1) against N(0, 1): l = 1.5 x - 1.125.
        var (scores, labels) = VerificationMetricsTests.Random(9, 300_000, step: 0);
        var fitted = Calibration.Fit(scores, labels);
        Assert.That(fitted.Scale, Is.EqualTo(1.5).Within(0.02));
        Assert.That(fitted.Offset, Is.EqualTo(-1.125).Within(0.02));
        Assert.That(fitted.WithThreshold(new DetectionCost(0.01)).Threshold, Is.EqualTo((Math.Log(99) + 1.125) / 1.5).Within(0.03));
    }

    [TestCase(7, 60, 0.5)]
    [TestCase(8, 500, 0.05)]
    public void No_other_line_is_better(int seed, int count, double prior)
    {
        var (scores, labels) = VerificationMetricsTests.Random(seed, count, step: 0.1f);
        var fitted = Calibration.Fit(scores, labels, prior);
        double best = Objective(fitted.Scale, fitted.Offset);
        foreach (var (da, db) in new[] { (1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (1e-3, -1e-3) })
        {
            Assert.That(Objective(fitted.Scale + da, fitted.Offset + db), Is.GreaterThan(best));
        }

        double Objective(double a, double b)
        {
            double logit = Math.Log(prior / (1 - prior)), loss = 0;
            int targets = labels.Count(l => l);
            for (int i = 0; i < scores.Length; i++)
            {
                double z = (a * scores[i]) + b + logit;
                loss += labels[i] ? prior / targets * Math.Log(1 + Math.Exp(-z)) : (1 - prior) / (labels.Length - targets) * Math.Log(1 + Math.Exp(z));
            }

            return loss;
        }
    }

    [Test]
    public void MinCllr_is_no_worse_than_any_line_and_zero_where_nothing_overlaps()
    {
        var (scores, labels) = VerificationMetricsTests.Random(4, 400, step: 0.25f);
        var ranked = RankedTrials.Rank(scores, labels);
        var fitted = Calibration.Fit(scores, labels);
        double least = CalibrationMetrics.MinCllr(ranked);
        Assert.That(least, Is.InRange(0.2, 1.0).And.LessThanOrEqualTo(CalibrationMetrics.Cllr(fitted.LogLikelihoodRatios(scores), labels)));
        Assert.That(CalibrationMetrics.MinCllr(RankedTrials.Rank([1, 2, 3, 4], [false, false, true, true])), Is.Zero);
        Assert.That(CalibrationMetrics.MinCllr(RankedTrials.Rank([1, 2, 3, 4], [true, true, false, false])), Is.EqualTo(1).Within(1e-12), "upside down: one pool");

        // Pools by hand: {n}, {t n} at 2 and 3 joined, {t}: only the middle pool costs, at ratio 0.
        Assert.That(CalibrationMetrics.MinCllr(RankedTrials.Rank([1, 2, 3, 4], [false, true, false, true])), Is.EqualTo(0.5).Within(1e-12));
    }

    [Test]
    public void Trials_that_do_not_overlap_still_give_a_finite_line()
    {
        var fitted = Calibration.Fit([0.1f, 0.2f, 0.8f, 0.9f], [false, false, true, true]);
        Assert.That(fitted.Scale, Is.Positive.And.LessThan(1000));
        Assert.That(fitted.LogLikelihoodRatio(0.85), Is.GreaterThan(0.5));
        Assert.That(fitted.LogLikelihoodRatio(0.15), Is.LessThan(-0.5));
        Assert.That(fitted.Threshold, Is.EqualTo(0.5).Within(1e-6));
    }

    [Test]
    public void The_threshold_at_a_false_acceptance_rate_is_the_smallest_that_keeps_it()
    {
        var (scores, labels) = VerificationMetricsTests.Random(12, 3000, step: 0.01f);
        var metrics = VerificationMetrics.Compute(scores, labels);
        foreach (double far in new[] { 0.01, 0.05, 0.1, 1 })
        {
            var point = metrics.ThresholdAtFar(far);
            double Far(double threshold) => scores.Where((s, i) => !labels[i] && s >= threshold).Count() / (double)metrics.NonTargets;
            Assert.That(point.Far, Is.EqualTo(Far(point.Threshold)).And.LessThanOrEqualTo(far));
            Assert.That(far == 1 || Far(point.Threshold - 0.0101) > far, "the next lower threshold accepts too many");
        }

        Assert.That(() => metrics.ThresholdAtFar(0.001), Throws.TypeOf<InvalidOptionException>());
    }

    [Test]
    public void A_file_gives_the_calibration_back()
    {
        using var folder = new TemporaryFolder();
        var calibration = new Calibration { Scale = 12.25, Offset = -1.0 / 3, Threshold = 0.1, Rule = "FAR 0.01", Scoring = "as-norm", Model = "ab", Targets = 3, NonTargets = 4 };
        calibration.Save(folder.At("c.json"));
        Assert.That(Calibration.Load(folder.At("c.json")), Is.EqualTo(calibration));
        (calibration with { Model = null }).Save(folder.At("c.json"));
        Assert.That(Calibration.Load(folder.At("c.json")).Model, Is.Null);
    }

    [TestCase("{", "not a calibration")]
    [TestCase("[]", "not a calibration")]
    [TestCase("{\"format\":\"spk-calibration\",\"version\":2}", "version 1")]
    [TestCase("{\"format\":\"spk-calibration\",\"version\":1}", "not a calibration")]
    [TestCase("{\"format\":\"spk-calibration\",\"version\":1,\"scale\":\"x\"}", "not a calibration")]
    public void A_damaged_file_is_refused(string text, string word)
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => Calibration.Load(folder.Text("c.json", text)), Throws.TypeOf<DataFormatException>().With.Message.Contains("c.json").And.Message.Contains(word));
        Assert.That(() => Calibration.Load(folder.At("absent.json")), Throws.TypeOf<DataFormatException>().With.Message.Contains("absent.json"));
    }

    [Test]
    public void Scores_that_tell_nothing_are_refused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => Calibration.Fit([1, 1], [true, false]), Throws.TypeOf<DataFormatException>().With.Message.Contains("tell nothing"));
            Assert.That(() => Calibration.Fit([1, 2], [true, true]), Throws.TypeOf<DataFormatException>());
            Assert.That(() => Calibration.Fit([1, 2], [true, false], prior: 1), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => CalibrationMetrics.Cllr([1], [true]), Throws.TypeOf<DataFormatException>());
            Assert.That(() => CalibrationMetrics.Cllr([1, 2], [true]), Throws.TypeOf<ShapeException>());
            Assert.That(() => new Calibration { Scale = -1, Offset = 0, Threshold = 0 }.WithThreshold(new DetectionCost(0.5)), Throws.TypeOf<InvalidOptionException>());
        });
    }
}
