using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Scoring;

public class VerificationMetricsTests
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "verification_metrics" } })]
    public void Golden_lists_give_the_reference_figures(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        float[] scores = g.Input("scores").ToSingle();
        bool[] labels = [.. g.Input("labels").Values.Select(l => l != 0)];
        var metrics = VerificationMetrics.Compute(scores, labels);

        int compared = 0;
        foreach (string output in g.Outputs)
        {
            double got = output switch
            {
                "eer" => metrics.Eer,
                "eer_closest" => metrics.EerClosest,
                "eer_rocch" => metrics.EerConvexHull,
                "frr_at_closest" => metrics.ClosestPoint.Frr,
                "far_at_closest" => metrics.ClosestPoint.Far,
                "thresholds" => metrics.PointCount,
                "mindcf_p0.01_cmiss10_cfa1" => metrics.MinDcf(0.01, missCost: 10),
                _ => metrics.MinDcf(double.Parse(output["mindcf_p".Length..], System.Globalization.CultureInfo.InvariantCulture)),
            };
            g.AssertOutput(output, [got], "f64");
            compared++;
        }

        Assert.That(compared, Is.GreaterThanOrEqualTo(11));
    }

    [Test]
    public void The_vector_of_the_methods_page_is_met()
    {
        float[] scores = [.9f, .8f, .75f, .7f, .62f, .6f, .55f, .5f, .45f, .4f, .3f, .2f];
        bool[] labels = [.. new[] { 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0 }.Select(l => l == 1)];
        var metrics = VerificationMetrics.Compute(scores, labels);
        Assert.Multiple(() =>
        {
            Assert.That(metrics.Eer, Is.EqualTo(1 / 3.0).Within(1e-12));
            Assert.That(metrics.EerClosest, Is.EqualTo(1 / 3.0).Within(1e-12));
            Assert.That(metrics.MinDcf(0.01), Is.EqualTo(0.666667).Within(1e-6));
            Assert.That(metrics.MinDcf(0.05), Is.EqualTo(0.666667).Within(1e-6));
        });
    }

    [Test]
    public void Order_of_the_trials_does_not_matter_even_with_ties()
    {
        var (scores, labels) = Random(7, 501, step: 0.25f);
        var wanted = VerificationMetrics.Compute(scores, labels);
        var order = Enumerable.Range(0, scores.Length).ToArray();
        for (int round = 0; round < 5; round++)
        {
            new CounterRandom(3, RandomPurpose.Shuffle, round).Shuffle(order);
            var got = VerificationMetrics.Compute([.. order.Select(i => scores[i])], [.. order.Select(i => labels[i])]);
            Assert.That((got.Eer, got.EerThreshold, got.MinDcf(0.01), got.EerConvexHull), Is.EqualTo((wanted.Eer, wanted.EerThreshold, wanted.MinDcf(0.01), wanted.EerConvexHull)));
        }
    }

    [TestCase(2)]
    [TestCase(31)]
    [TestCase(400)]
    public void Rates_equal_counting_at_every_threshold(int count)
    {
        var (scores, labels) = Random(count, count, step: 0.125f);
        var metrics = VerificationMetrics.Compute(scores, labels);
        Assert.That(metrics.PointCount, Is.EqualTo(scores.Distinct().Count() + 1));
        for (int k = 0; k < metrics.PointCount; k++)
        {
            var point = metrics.Point(k);
            double far = scores.Where((s, i) => !labels[i] && s >= point.Threshold).Count() / (double)metrics.NonTargets;
            double frr = scores.Where((s, i) => labels[i] && s < point.Threshold).Count() / (double)metrics.Targets;
            Assert.That((point.Far, point.Frr), Is.EqualTo((far, frr)));
        }

        double atThreshold = scores.Where((s, i) => labels[i] && s < metrics.EerThreshold).Count() / (double)metrics.Targets;
        Assert.That(atThreshold, Is.EqualTo(metrics.ClosestPoint.Frr), "the threshold has the rates of the closest point");
    }

    [Test]
    public void Both_zeros_are_one_score()
    {
        var metrics = VerificationMetrics.Compute([0f, -0f], [true, false]);
        Assert.That((metrics.PointCount, metrics.Eer), Is.EqualTo((2, 0.5)));
    }

    [Test]
    public void Unit_weights_give_the_unweighted_rates_and_repetition_equals_weight()
    {
        var (scores, labels) = Random(11, 333, step: 0.2f);
        var ranked = RankedTrials.Rank(scores, labels);
        var random = new CounterRandom(5, RandomPurpose.Bootstrap);
        var weights = new int[scores.Length];
        foreach (ref int w in weights.AsSpan())
        {
            w = random.NextInt(4);
        }

        var repeated = Enumerable.Range(0, weights.Length).SelectMany(rank => Enumerable.Repeat(ranked.Order[rank], weights[rank])).ToArray();
        var wanted = VerificationMetrics.Compute([.. repeated.Select(i => scores[i])], [.. repeated.Select(i => labels[i])]);
        var costs = new double[2];
        double eer = ranked.Weighted(weights, [DetectionCost.Prior01, new DetectionCost(0.3, 2, 1)], costs);
        Assert.That((eer, costs[0], costs[1]), Is.EqualTo((wanted.Eer, wanted.MinDcf(0.01), wanted.MinDcf(0.3, 2, 1))));

        Array.Fill(weights, 1);
        Assert.That(ranked.Weighted(weights, [], []), Is.EqualTo(VerificationMetrics.Compute(ranked).Eer));
        Array.Clear(weights);
        Assert.That(ranked.Weighted(weights, [], []), Is.NaN);
    }

    [Test]
    public void Frr_at_far_interpolates_and_asks_for_enough_trials()
    {
        // Non-targets 0..99, targets 50..149: at a whole threshold t FAR is (100 - t)/100 and FRR is (t - 50)/100.
        float[] scores = [.. Enumerable.Range(0, 100).Select(i => (float)i), .. Enumerable.Range(50, 100).Select(i => (float)i)];
        bool[] labels = [.. Enumerable.Repeat(false, 100), .. Enumerable.Repeat(true, 100)];
        var metrics = VerificationMetrics.Compute(scores, labels);
        Assert.That(metrics.FrrAtFar(0.2), Is.EqualTo(0.30).Within(1e-12));
        Assert.That(metrics.FrrAtFar(0.195), Is.EqualTo(0.305).Within(1e-12));
        Assert.That(metrics.FrrAtFar(1), Is.Zero);
        Assert.That(metrics.CanMeasureFar(0.05), Is.False);
        Assert.That(() => metrics.FrrAtFar(0.05), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("200"));
        Assert.That(() => metrics.FrrAtFar(double.NaN), Throws.TypeOf<InvalidOptionException>());
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void A_score_that_is_no_number_is_named(float bad) =>
        Assert.That(() => VerificationMetrics.Compute([1f, bad, 0f], [true, false, false]), Throws.TypeOf<NonFiniteException>().With.Message.Contains("trial 2 of 3"));

    [Test]
    public void Lists_of_one_kind_are_refused()
    {
        Assert.That(() => VerificationMetrics.Compute([1f, 2f], [true, true]), Throws.TypeOf<DataFormatException>().With.Message.Contains("no non-target"));
        Assert.That(() => VerificationMetrics.Compute([1f, 2f], [false, false]), Throws.TypeOf<DataFormatException>().With.Message.Contains("no target"));
        Assert.That(() => VerificationMetrics.Compute([], []), Throws.TypeOf<DataFormatException>().With.Message.Contains("is empty"));
        Assert.That(() => VerificationMetrics.Compute([1f], [true, false]), Throws.TypeOf<ShapeException>());
    }

    [Test]
    public void A_million_trials_are_handled()
    {
        var (scores, labels) = Random(1, 1_000_000, step: 0);
        var metrics = VerificationMetrics.Compute(scores, labels);
        // Unit normals 1.5 apart: EER = Φ(-0.75).
        Assert.That(metrics.Eer, Is.EqualTo(NormalDistribution.Cumulative(-0.75)).Within(0.002));
        Assert.That(metrics.FrrAtFar(0.01), Is.EqualTo(NormalDistribution.Cumulative(NormalDistribution.Quantile(0.99) - 1.5)).Within(0.01));
    }

    [Test]
    public void Det_points_of_two_normals_lie_on_a_line_of_slope_minus_one()
    {
        var (scores, labels) = Random(2, 200_000, step: 0);
        foreach (var point in VerificationMetrics.Compute(scores, labels).DetPoints().Where(p => p.Far > 0.01 && p.Frr > 0.01))
        {
            Assert.That(point.DetX + point.DetY, Is.EqualTo(-1.5).Within(0.05));
        }
    }

    [TestCase(0.5, 0)]
    [TestCase(0.975, 1.959963984540054)]
    [TestCase(0.001, -3.090232306167813)]
    [TestCase(1e-10, -6.361340902404056)]
    public void Normal_quantiles_match_tables(double probability, double quantile)
    {
        Assert.That(NormalDistribution.Quantile(probability), Is.EqualTo(quantile).Within(1e-12));
        Assert.That(NormalDistribution.Cumulative(quantile), Is.EqualTo(probability).Within(1e-12 * probability * 10));
    }

    [Test]
    public void Normal_quantiles_invert_the_distribution_everywhere()
    {
        for (double x = -37; x < 5; x += 0.0625)
        {
            Assert.That(NormalDistribution.Quantile(NormalDistribution.Cumulative(x)), Is.EqualTo(x).Within(2e-10 + (1e-14 * Math.Abs(x))));
        }

        Assert.That(NormalDistribution.Quantile(0), Is.EqualTo(double.NegativeInfinity));
        Assert.That(NormalDistribution.Quantile(1), Is.EqualTo(double.PositiveInfinity));
        Assert.That(NormalDistribution.Quantile(double.Epsilon), Is.EqualTo(-38.5).Within(0.2));
        Assert.That(() => NormalDistribution.Quantile(double.NaN), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    /// <summary>Non-targets around 0, every third trial a target around 1.5; rounded to multiples of a step where it is not 0.</summary>
    internal static (float[] Scores, bool[] Labels) Random(int seed, int count, float step)
    {
        var scores = Samples.Normal(seed, count);
        var labels = new bool[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = i % 3 == 0;
            scores[i] += labels[i] ? 1.5f : 0;
            scores[i] = step > 0 ? MathF.Round(scores[i] / step) * step : scores[i];
        }

        return (scores, labels);
    }
}
