using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Training.Benchmarks;

namespace Spk.Tests.Benchmarks;

/// <summary>The comparison on a simulated machine: its speed drifts, neighbours make whole measurements slower, and every call may be disturbed.</summary>
public class BenchmarkComparisonTests
{
    private const int Cases = 20;

    [Test]
    public void Noise_is_ignored_in_ten_runs([Range(1, 10)] int run, [Values] Clock clock)
    {
        var baseline = new Machine(0) { Clock = clock }.Baseline();
        var machine = new Machine(run) { Clock = clock };
        var compared = BenchmarkComparison.Compare(baseline, machine.Run(), 0.1, machine.Again);
        Assert.That(compared, Has.Count.EqualTo(Cases));
        Assert.That(compared.Where(c => c.Slower).Select(c => c.Result.Key), Is.Empty);
    }

    [Test]
    public void A_planted_slowdown_of_a_fifth_is_found_in_ten_runs([Range(1, 10)] int run, [Values] Clock clock)
    {
        var baseline = new Machine(0) { Clock = clock }.Baseline();
        var machine = new Machine(run) { Clock = clock, Planted = 7, Slowdown = 1.2 };
        var compared = BenchmarkComparison.Compare(baseline, machine.Run(), 0.1, machine.Again);
        Assert.That(compared.Where(c => c.Slower).Select(c => c.Result.Name), Is.EqualTo(new[] { "case7" }));
    }

    [Test]
    public void Only_what_seems_slower_is_measured_again()
    {
        var again = new List<string>();
        var pauses = new List<(int, int)>();
        var baseline = new Machine(0).Run();
        BenchmarkResult[] results = [.. baseline.Select((r, i) => i == 3 ? r with { Fast = 2 * r.Fast, Least = 2 * r.Least } : r)];
        double disturbed = 2;
        var compared = BenchmarkComparison.Compare(baseline, results, 0.1, slow =>
        {
            again.AddRange(slow.Select(r => r.Name));
            disturbed /= 1.5;
            return [baseline[3] with { Fast = disturbed * baseline[3].Fast, Least = disturbed * baseline[3].Least }];
        }, (round, slower) => pauses.Add((round, slower)));
        Assert.That(pauses, Is.EqualTo(new[] { (0, 1), (1, 1) }), "before each repetition, and only where there is one");
        Assert.That(again, Is.EqualTo(new[] { "case3", "case3" }), "twice: 2, 1.33, 0.89");
        Assert.That(compared[3].Slower, Is.False);
        Assert.That(compared[3].Times.Ratio, Is.EqualTo(2 / 1.5 / 1.5).Within(1e-9));
    }

    // Baseline and result: the clock's time and the processors', the pace, and whether the machine was idle. 1.2 is a slowdown, 1.05 is none.
    [TestCase(1.2, 1.2, 1, 0, 1.2, 10, TestName = "Idle: clock and processors agree")]
    [TestCase(2, 1, 1, 0, 2, 10, TestName = "Idle: a lost thread shows by the clock only")]
    [TestCase(5, 1.05, 1, 0.2, 1.05, 1, TestName = "Busy: waiting does not count")]
    [TestCase(0.7, 1.2, 1, 0.2, 1.2, 10, TestName = "Busy: a slowdown shows though the clock says otherwise")]
    [TestCase(1.3, 1.3, 1.25, 0, 1.04, 3, TestName = "A slower processor is no slower case")]
    [TestCase(1.05, 1.05, 0.8, 0, 1.05, 1, TestName = "A faster processor makes no case slower")]
    public void What_counts_depends_on_how_busy_the_machine_was(double clock, double processor, double pace, double waited, double ratio, int measurements)
    {
        var one = new Machine(0).Run()[0] with { Least = 0.9, Fast = 1, Processor = 2, Pace = new MachinePace(3e-4, 3e-4, 0) };
        var now = one with { Least = 0.9 * clock, Fast = 9, Processor = 2 * processor, Pace = new MachinePace(3e-4 * pace, 3e-4 * pace, waited) };
        var compared = BenchmarkComparison.Compare([one], [now], 0.1, _ => [now]).Single();
        Assert.That(compared.Times.Ratio, Is.EqualTo(ratio).Within(1e-9));
        Assert.That(compared.Slower, Is.EqualTo(ratio > 1.1));
        Assert.That(compared.Measurements, Is.EqualTo(measurements), "until the fastest time was seen ten times, or the yardstick three times");
        Assert.That(compared.Times.ByClock, Is.EqualTo(waited == 0));
    }

    [Test]
    public void Short_calls_on_a_busy_machine_are_compared_by_the_fastest()
    {
        var one = new Machine(0).Run()[0] with { Least = 1e-3, Fast = 2e-3, Processor = 2e-3, Pace = new MachinePace(3e-4, 3e-4, 0.2) };
        Assert.That(FastestTimes.Compare([one], [one with { Least = 1.02e-3, Fast = 6e-3, Processor = 7e-3 }]).Ratio, Is.EqualTo(1.02).Within(1e-9));
        Assert.That(FastestTimes.Compare([one], [one with { Least = 1.2e-3, Fast = 2e-3, Processor = 2e-3 }]).Ratio, Is.EqualTo(1.2).Within(1e-9));
    }

    [Test]
    public void What_the_baseline_reached_four_times_counts()
    {
        var one = new Machine(0).Run()[0];
        BenchmarkResult[] baseline = [.. new[] { 1.4, 1.02, 1, 1.5, 1.01, 1.03, 1.1 }.Select(fast => one with { Fast = fast })];
        ComparedBenchmark Compared(double fast, int results = 7) => BenchmarkComparison.Compare(baseline[..results], [one with { Fast = fast }], 0.1, _ => []).Single();
        Assert.That(Compared(1.13).Slower, Is.False, "10 % more than 1.03");
        Assert.That(Compared(1.13).BaselineSpread, Is.EqualTo(0.5).Within(1e-9));
        Assert.That(Compared(1.2).Slower, Is.True, "though the baseline was that slow too, now and then");
        Assert.That(Compared(1.2).Times.Ratio, Is.EqualTo(1.2 / 1.03).Within(1e-9));
        Assert.That(Compared(1.5, results: 3).Slower, Is.False, "of three results the slowest counts");
    }

    [Test]
    public void A_case_whose_times_vary_is_measured_more_often_and_one_whose_calls_are_long_less()
    {
        var one = new Machine(0).Run()[0] with { Fast = 1 };
        int Measured(Func<int, double> times, double median = 1e-3)
        {
            int calls = 0;
            return BenchmarkComparison.Compare([one], [one with { Fast = times(0), Median = median }], 0.1, r => [r[0] with { Fast = times(++calls) }]).Single().Measurements;
        }

        Assert.That(Measured(_ => 1.2), Is.EqualTo(BenchmarkComparison.Sightings));
        Assert.That(Measured(i => 1.2 * (1 + (i * 0.04))), Is.EqualTo(1 + BenchmarkComparison.Repetitions), "the fastest was seen once");
        Assert.That(Measured(i => 1.2 * (1 + (i % 2))), Is.EqualTo((2 * BenchmarkComparison.Sightings) - 1), "every other time");
        Assert.That(Measured(_ => 1.2, median: 1), Is.EqualTo(6), "50 calls of a second each");
        Assert.That(Measured(_ => 200), Is.EqualTo(1), "nothing disturbs that much");
    }

    [Test]
    public void Of_several_rounds_now_the_best_counts()
    {
        var one = new Machine(0).Run()[0] with { Fast = 1 };
        var compared = BenchmarkComparison.Compare([one], [one with { Fast = 1.3 }, one with { Fast = 1.05 }], 0.1, _ => []).Single();
        Assert.That((compared.Times.Ratio, compared.Measurements, compared.Slower), Is.EqualTo((1.05, 2, false)));
    }

    [Test]
    public void A_file_of_several_rounds_shows_the_one_in_the_middle()
    {
        var one = new Machine(0).Run()[0];
        var file = new BenchmarkFile(new Dictionary<string, string>(), [one with { Median = 3 }, one with { Median = 1 }, one with { Median = 2 }]);
        Assert.That(file.Find(one.Key)!.Median, Is.EqualTo(2));
        Assert.That(file.Find("none"), Is.Null);
    }

    [Test]
    public void A_busy_measurement_does_not_hide_what_the_clock_shows_on_an_idle_machine()
    {
        var idle = new Machine(0).Run()[0] with { Least = 9, Fast = 10, Processor = 20, Pace = new MachinePace(3e-4, 3e-4, 0) };
        var busy = idle with { Least = 30, Fast = 40, Pace = new MachinePace(3e-4, 3e-4, 0.2) };

        // One thread of two is lost: twice the time, no more processor time.
        var compared = BenchmarkComparison.Compare([idle, busy, idle, idle, idle], [idle with { Least = 18, Fast = 20 }, busy], 0.1, _ => []).Single();
        Assert.That((compared.Times.Ratio, compared.Times.ByClock, compared.Slower), Is.EqualTo((2.0, true, true)));
    }

    [Test]
    public void A_fast_call_is_fast_on_a_busy_machine_too()
    {
        var idle = new Machine(0).Run()[0] with { Least = 9, Fast = 10, Processor = 20, Pace = new MachinePace(3e-4, 3e-4, 0) };
        var compared = BenchmarkComparison.Compare(
            [idle], [idle with { Least = 12 }, idle with { Least = 9.1, Pace = new MachinePace(3e-4, 3e-4, 0.2) }], 0.1, _ => []).Single();
        Assert.That((compared.Times.Now, compared.Times.ByClock, compared.Slower), Is.EqualTo((9.1, true, false)));
    }

    [Test]
    public void A_slow_yardstick_does_not_excuse_what_was_measured_once()
    {
        var one = new Machine(0).Run()[0] with { Least = 1, Fast = 1, Processor = 2, Pace = new MachinePace(3e-4, 3e-4, 0) };
        var slow = one with { Least = 1.2, Pace = new MachinePace(3.4e-4, 3.4e-4, 0) };
        int again = 0;
        var compared = BenchmarkComparison.Compare([one], [slow], 0.1, _ => [++again == 1 ? slow with { Pace = one.Pace } : slow]).Single();
        Assert.That((compared.Times.Ratio, compared.Slower), Is.EqualTo((1.2, true)), "the yardstick's fastest counts");
        Assert.That(compared.Measurements, Is.EqualTo(BenchmarkComparison.Sightings));
    }

    [Test]
    public void Nothing_is_told_on_an_overloaded_machine()
    {
        var one = new Machine(0).Run()[0] with { Least = 0.9, Fast = 1, Processor = 2, Pace = new MachinePace(3e-4, 3e-4, 0) };
        var slow = one with { Least = 9, Fast = 10, Processor = 20, Pace = new MachinePace(3e-4, 3e-4, 0.9) };
        ComparedBenchmark Compared(BenchmarkResult then, params BenchmarkResult[] now)
        {
            int next = 0;
            return BenchmarkComparison.Compare([then], [now[next++]], 0.1, _ => next < now.Length ? [now[next++]] : []).Single();
        }

        Assert.That(Compared(one, slow, slow), Has.Property("Slower").False.And.Property("Overloaded").True);
        Assert.That(Compared(one, slow with { Processor = 2000 }), Has.Property("Slower").True, "a thousand times is no noise");
        Assert.That(Compared(one with { Pace = slow.Pace }, slow with { Pace = one.Pace }), Has.Property("Slower").False.And.Property("Overloaded").True);
        Assert.That(Compared(one, slow, slow with { Pace = one.Pace }), Has.Property("Slower").True.And.Property("Overloaded").False, "one measurement on a free machine tells");
    }

    [Test]
    public void Cases_that_one_side_lacks_are_left_out()
    {
        var one = new Machine(0).Run()[0];
        BenchmarkResult[] others =
        [
            one with { Name = "other" }, one with { Cold = true }, one with { Precision = Precision.Bf16 }, one with { Sizes = [new CaseSize("N", 7)] },
        ];
        Assert.That(BenchmarkComparison.Compare([one], others, 0.1, _ => []), Is.Empty);
    }

    /// <summary>What a simulated machine knows beside the times of calls.</summary>
    public enum Clock
    {
        /// <summary>Nothing, as of a GPU.</summary>
        Calls,

        /// <summary>The pace of a processor that is idle at times.</summary>
        Idle,

        /// <summary>The pace of one that never is.</summary>
        Busy,
    }

    private sealed class Machine(int run)
    {
        private const float Disturbed = 0.4f;

        private int _measured;

        public Clock Clock { get; init; }

        public int Planted { get; init; } = -1;

        public double Slowdown { get; init; } = 1;

        public IReadOnlyList<BenchmarkResult> Baseline() => BenchmarkBaseline.Measure((_, only) => only.Count == 0 ? Run() : Again(only));

        public BenchmarkResult[] Run() => [.. Enumerable.Range(0, Cases).Select(Measure)];

        public BenchmarkResult[] Again(IReadOnlyList<BenchmarkResult> results) =>
            [.. results.Select(r => Measure(int.Parse(r.Name.AsSpan(4), System.Globalization.CultureInfo.InvariantCulture)))];

        // Up to 8 % slower at times, and four measurements in ten by up to a half; a quarter of the calls are disturbed, some by a multiple of their time.
        private BenchmarkResult Measure(int index)
        {
            var random = new CounterRandom((ulong)run, RandomPurpose.Initialization, index, _measured++);
            double drift = 1 + (0.08 * random.NextFloat()) + (random.NextFloat() < Disturbed ? 0.5 * random.NextFloat() : 0), time = 1e-3 * (1 + index) * drift * (index == Planted ? Slowdown : 1);
            double[] times = [.. Enumerable.Range(0, 50).Select(_ => time * (random.NextFloat() < 0.25f ? 1 + (2 * random.NextFloat()) : 1 + (0.02 * random.NextFloat()))).Order()];
            return new BenchmarkResult
            {
                Name = $"case{index}",
                Sizes = [new CaseSize("N", index)],
                Precision = Precision.Fp32,
                Cold = false,
                Median = times[25],
                Fast = times[5],
                Slow = times[44],
                Calls = times.Length,
                Unit = "items/s",
                Work = 1,
                AllocatedBytes = 0,
                Least = Clock == Clock.Calls ? 0 : times[0],
                Processor = Clock == Clock.Calls ? 0 : 2 * time * (1 + (0.05 * random.NextFloat())),
                Pace = Clock == Clock.Calls ? null : Pace(random),
            };
        }

        // The yardstick varies by a tenth. Half of the measurements of an idle machine see other work, too.
        private MachinePace Pace(CounterRandom random)
        {
            double pace = 3e-4 * (1 + (0.1 * random.NextFloat()));
            return new MachinePace(pace, pace, Clock == Clock.Busy || random.NextFloat() < 0.5f ? 0.1 : 0);
        }
    }
}
