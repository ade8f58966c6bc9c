using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Training.Benchmarks;

namespace Spk.Tests.Benchmarks;

/// <summary>The comparison on a simulated machine: its speed drifts from run to run, and every call may be disturbed.</summary>
public class BenchmarkComparisonTests
{
    private const int Cases = 20;

    [Test]
    public void Noise_is_ignored_in_ten_runs([Range(1, 10)] int run)
    {
        var baseline = new Machine(0).Run();
        var machine = new Machine(run);
        var compared = BenchmarkComparison.Compare(baseline, machine.Run(), 0.1, machine.Again);
        Assert.That(compared, Has.Count.EqualTo(Cases));
        Assert.That(compared.Where(c => c.Slower).Select(c => c.Result.Key), Is.Empty);
    }

    [Test]
    public void A_planted_slowdown_of_a_fifth_is_found_in_ten_runs([Range(1, 10)] int run)
    {
        var baseline = new Machine(0).Run();
        var machine = new Machine(run) { Planted = 7, Slowdown = 1.2 };
        var compared = BenchmarkComparison.Compare(baseline, machine.Run(), 0.1, machine.Again);
        Assert.That(compared.Where(c => c.Slower).Select(c => c.Result.Name), Is.EqualTo(new[] { "case7" }));
    }

    [Test]
    public void Only_what_seems_slower_is_measured_again()
    {
        var again = new List<string>();
        var baseline = new Machine(0).Run();
        BenchmarkResult[] results = [.. baseline.Select((r, i) => i == 3 ? r with { Fast = 2 * r.Fast } : r)];
        var compared = BenchmarkComparison.Compare(baseline, results, 0.1, result =>
        {
            again.Add(result.Name);
            return result with { Fast = result.Fast / 1.5 };
        });
        Assert.That(again, Is.EqualTo(new[] { "case3", "case3" }), "twice: 2, 1.33, 0.89");
        Assert.That(compared[3].Slower, Is.False);
        Assert.That(compared[3].Ratio, Is.EqualTo(2 / 1.5 / 1.5).Within(1e-9));
    }

    // Baseline and result: the clock's time and the processors', the pace, and whether the machine was idle. 1.2 is a slowdown, 1.05 is none.
    [TestCase(1.2, 1.2, 1, 0, 1.2, TestName = "Idle: clock and processors agree")]
    [TestCase(2, 1, 1, 0, 2, TestName = "Idle: a lost thread shows by the clock only")]
    [TestCase(5, 1.05, 1, 1.5, 1.05, TestName = "Busy: waiting does not count")]
    [TestCase(0.7, 1.2, 1, 1.5, 1.2, TestName = "Busy: a slowdown shows though the clock says otherwise")]
    [TestCase(1.3, 1.3, 1.25, 0, 1.04, TestName = "A slower processor is no slower case")]
    [TestCase(1.05, 1.05, 0.8, 0, 1.05, TestName = "A faster processor makes no case slower")]
    public void What_counts_depends_on_how_busy_the_machine_was(double clock, double processor, double pace, double waited, double ratio)
    {
        var one = new Machine(0).Run()[0] with { Least = 0.9, Fast = 1, Processor = 2, Pace = new MachinePace(3e-4, 0) };
        var now = one with { Fast = clock, Processor = 2 * processor, Pace = new MachinePace(3e-4 * pace, waited) };
        var compared = BenchmarkComparison.Compare([one], [now], 0.1, _ => now).Single();
        Assert.That(compared.Ratio, Is.EqualTo(ratio).Within(1e-9));
        Assert.That(compared.Slower, Is.EqualTo(ratio > 1.1));
        Assert.That(compared.Measurements, Is.EqualTo(ratio > 1.1 ? 1 + BenchmarkComparison.Repetitions : 1));
        Assert.That(compared.ByClock, Is.EqualTo(waited == 0));
    }

    [Test]
    public void Short_calls_on_a_busy_machine_are_compared_by_the_fastest()
    {
        var one = new Machine(0).Run()[0] with { Least = 1e-3, Fast = 2e-3, Processor = 2e-3, Pace = new MachinePace(3e-4, 1) };
        Assert.That(BenchmarkComparison.Ratio(one, one with { Least = 1.02e-3, Fast = 6e-3, Processor = 7e-3 }), Is.EqualTo(1.02).Within(1e-9));
        Assert.That(BenchmarkComparison.Ratio(one, one with { Least = 1.2e-3, Fast = 2e-3, Processor = 2e-3 }), Is.EqualTo(1.2).Within(1e-9));
    }

    [Test]
    public void Cases_that_one_side_lacks_are_left_out()
    {
        var one = new Machine(0).Run()[0];
        BenchmarkResult[] others =
        [
            one with { Name = "other" }, one with { Cold = true }, one with { Precision = Precision.Bf16 }, one with { Sizes = [new CaseSize("N", 7)] },
        ];
        Assert.That(BenchmarkComparison.Compare([one], others, 0.1, _ => null), Is.Empty);
    }

    private sealed class Machine(int run)
    {
        private int _measured;

        public int Planted { get; init; } = -1;

        public double Slowdown { get; init; } = 1;

        public BenchmarkResult[] Run() => [.. Enumerable.Range(0, Cases).Select(Measure)];

        public BenchmarkResult Again(BenchmarkResult result) => Measure(int.Parse(result.Name.AsSpan(4), System.Globalization.CultureInfo.InvariantCulture));

        // Up to 8 % slower for minutes at a time; a quarter of the calls are disturbed, some by a multiple of their time.
        private BenchmarkResult Measure(int index)
        {
            var random = new CounterRandom((ulong)run, RandomPurpose.Initialization, index, _measured++);
            double drift = 1 + (0.08 * random.NextFloat()), time = 1e-3 * (1 + index) * drift * (index == Planted ? Slowdown : 1);
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
            };
        }
    }
}
