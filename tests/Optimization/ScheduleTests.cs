using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Optimization;

namespace Spk.Tests.Optimization;

public class ScheduleTests
{
    [Category("Golden")]
    [TestCaseSource(typeof(ScheduleTests), nameof(RateCases))]
    public void Learning_rates_equal_the_reference(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        int steps = g.Integer("steps");
        var schedule = g.Op switch
        {
            "lr_cosine" => new LearningRateSchedule { Kind = LearningRateKind.Cosine, Minimum = g.Number("min"), TotalSteps = steps },
            "lr_warmup_cosine" => new LearningRateSchedule
            {
                Kind = LearningRateKind.Cosine,
                Minimum = g.Number("min"),
                WarmupSteps = g.Integer("warmup_steps"),
                CosineSteps = steps,
            },
            _ => new LearningRateSchedule
            {
                Kind = LearningRateKind.Step,
                Decay = g.Number("gamma"),
                DecayEveryEpochs = g.Integer("every_epochs"),
                StepsPerEpoch = g.Integer("steps_per_epoch"),
            },
        } with
        { Base = g.Number("base") };
        schedule.Validate();
        AssertAll(g, "lr", step => schedule.At(step));
    }

    [Category("Golden")]
    [TestCaseSource(typeof(ScheduleTests), nameof(MomentumCases))]
    public void Momenta_equal_the_reference(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        var schedule = new MomentumSchedule { Base = g.Number("base"), TotalSteps = g.Integer("steps"), Rises = true };
        schedule.Validate();
        AssertAll(g, "momentum", step => schedule.At(step));
    }

    [Category("Golden")]
    [TestCaseSource(typeof(ScheduleTests), nameof(MarginCases))]
    public void Margins_equal_the_reference(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        var schedule = new MarginSchedule { Margin = g.Number("margin"), Epochs = g.Integer("epochs"), Rises = true };
        schedule.Validate();
        AssertAll(g, "margin", epoch => schedule.At(epoch));
    }

    [Test]
    public void Warm_up_and_cosine_meet_at_the_base_rate_and_end_at_the_minimum()
    {
        var schedule = new LearningRateSchedule { Kind = LearningRateKind.Cosine, Base = 0.2, Minimum = 0.01, WarmupSteps = 11, TotalSteps = 111 };
        Assert.Multiple(() =>
        {
            Assert.That(schedule.At(0), Is.Zero);
            Assert.That(schedule.At(5), Is.EqualTo(0.1).Within(1e-15));
            Assert.That(schedule.At(10), Is.EqualTo(0.2).Within(1e-15));
            Assert.That(schedule.At(11), Is.EqualTo(0.2).Within(1e-15));
            Assert.That(schedule.At(61), Is.EqualTo(0.105).Within(1e-15));
            Assert.That(schedule.At(111), Is.EqualTo(0.01).Within(1e-15));
            Assert.That(schedule.At(5000), Is.EqualTo(0.01).Within(1e-15));
        });
    }

    [Test]
    public void Exponential_runs_from_base_to_minimum_and_constant_stays()
    {
        var exponential = new LearningRateSchedule { Kind = LearningRateKind.Exponential, Base = 0.1, Minimum = 1e-5, TotalSteps = 100 };
        Assert.Multiple(() =>
        {
            Assert.That(exponential.At(0), Is.EqualTo(0.1));
            Assert.That(exponential.At(50), Is.EqualTo(1e-3).Within(1e-15));
            Assert.That(exponential.At(100), Is.EqualTo(1e-5).Within(1e-17));
            Assert.That((exponential with { Kind = LearningRateKind.Constant }).At(77), Is.EqualTo(0.1));
        });
    }

    [Test]
    public void Short_runs_have_no_division_by_zero()
    {
        Assert.Multiple(() =>
        {
            Assert.That(new MarginSchedule { Margin = 0.2, Epochs = 1, Rises = true }.At(0), Is.EqualTo(0.2));
            Assert.That(new MarginSchedule { Margin = 0.2, Epochs = 20 }.At(0), Is.EqualTo(0.2));
            Assert.That(new LearningRateSchedule { WarmupSteps = 1, TotalSteps = 1, Kind = LearningRateKind.Cosine }.At(0), Is.Zero);
            Assert.That(new LearningRateSchedule { WarmupSteps = 5, TotalSteps = 2, Kind = LearningRateKind.Cosine }.At(6), Is.EqualTo(1e-5));
            Assert.That(new MomentumSchedule { Base = 0.99 }.At(7), Is.EqualTo(0.99));
        });
    }

    [Test]
    public void Fields_out_of_range_are_named()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => new LearningRateSchedule { Base = -1 }.Validate(), Fails("learningRate.base = -1"));
            Assert.That(() => new LearningRateSchedule { Kind = LearningRateKind.Cosine, Minimum = 1 }.Validate(), Fails("learningRate.minimum"));
            Assert.That(() => new LearningRateSchedule { Kind = LearningRateKind.Exponential, Minimum = 0 }.Validate(), Fails("learningRate.minimum"));
            Assert.That(() => new LearningRateSchedule { Decay = 0 }.Validate(), Fails("learningRate.decay"));
            Assert.That(() => new LearningRateSchedule { CosineSteps = 0 }.Validate(), Fails("learningRate.cosineSteps"));
            Assert.That(() => new MarginSchedule { Margin = double.NaN }.Validate(), Fails("margin"));
            Assert.That(() => new MomentumSchedule { Base = 2 }.Validate(), Fails("momentum.base"));
        });

        static NUnit.Framework.Constraints.IResolveConstraint Fails(string part) => Throws.TypeOf<InvalidOptionException>().With.Message.Contains(part);
    }

    private static IEnumerable<TestCaseData> RateCases() => Golden.Cases("lr_cosine", "lr_warmup_cosine", "lr_step");

    private static IEnumerable<TestCaseData> MomentumCases() => Golden.Cases("ema_momentum_cosine");

    private static IEnumerable<TestCaseData> MarginCases() => Golden.Cases("margin_schedule");

    private static void AssertAll(GoldenCase g, string output, Func<int, double> at)
    {
        int count = g.Output(output).Values.Length;
        g.AssertOutput(output, Enumerable.Range(0, count).Select(at).ToArray(), "f64");
    }
}
