using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Interop;

namespace Spk.Tests.Scoring;

public class EqualErrorRateTests
{
    [Test]
    public void It_is_that_of_the_sorted_trials([Values(2, 3, 10, 1000, 50_000)] int trials, [Values(0, 1, 50)] int levels, [Values(-0.5f, 0f, 1.5f, 40f)] float apart)
    {
        var random = new CounterRandom(1, RandomPurpose.Initialization, trials, levels);
        float[] scores = new float[trials];
        bool[] labels = new bool[trials];
        for (int i = 0; i < trials; i++)
        {
            labels[i] = i % 3 == 0;
            float score = random.NextNormal() + (labels[i] ? apart : 0);

            // Few levels are many ties; negative and positive zeros are one score.
            scores[i] = levels == 0 ? score : MathF.Round(score * levels / 10) / levels;
        }

        Assert.That(EqualErrorRate.Compute(scores, labels), Is.EqualTo(VerificationMetrics.Compute(scores, labels).Eer));
    }

    [Test]
    public void Scores_closer_than_a_bucket_are_told_apart()
    {
        float[] scores = [1f, float.BitIncrement(1f), 1f + (2 * float.Epsilon) + 3e-7f, 1f + 4e-7f];
        bool[] labels = [false, true, false, true];
        Assert.That(EqualErrorRate.Compute(scores, labels), Is.EqualTo(0.5));
        Assert.That(EqualErrorRate.Compute(scores, [false, false, true, true]), Is.Zero);
    }

    [Test]
    public void Trials_it_cannot_rate_are_refused()
    {
        Assert.That(() => EqualErrorRate.Compute([1, 2], [true]), Throws.TypeOf<ShapeException>());
        Assert.That(() => EqualErrorRate.Compute([1, 2], [true, true]), Throws.TypeOf<DataFormatException>().With.Message.Contains("no non-target"));
        Assert.That(() => EqualErrorRate.Compute([1, float.NaN], [true, false]), Throws.TypeOf<NonFiniteException>().With.Message.Contains("trial 2"));
    }
}
