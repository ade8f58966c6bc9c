using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Training.Benchmarks;

namespace Spk.Tests.Benchmarks;

public class BenchmarkBaselineTests
{
    // Times of each case, measurement by measurement; the last goes on.
    private static readonly Dictionary<string, double[]> Times = new()
    {
        ["steady"] = [1, 1.02, 1.01, 1.029],
        ["disturbed"] = [1.3, 1.5, 1, 1.2, 1.01, 1.4, 1.02, 1.03, 9],
        ["restless"] = [.. Enumerable.Range(0, 40).Select(i => 100 - (5.0 * i))],
        ["long"] = [7, 8, 9, 6],
    };

    [Test]
    public void What_varies_is_measured_until_its_fastest_time_was_seen_four_times()
    {
        var asked = new List<string>();
        var pauses = new List<(int, int)>();
        var results = BenchmarkBaseline.Measure(
            (round, only) =>
            {
                Assert.That(round, Is.EqualTo(asked.Count + 1));
                string[] names = [.. only.Count == 0 ? Times.Keys : only.Select(r => r.Name)];
                asked.Add(string.Join(' ', names));
                return [.. names.Select(name => Result(name, Times[name][Math.Min(asked.Count, Times[name].Length) - 1]))];
            },
            pause: (round, cases) => pauses.Add((round, cases)));
        Assert.That(asked.Take(3), Is.All.EqualTo("steady disturbed restless long"));
        Assert.That(asked[3..8], Is.EqualTo(new[]
        {
            "steady disturbed restless", "disturbed restless", "disturbed restless", "disturbed restless", "disturbed restless",
        }), "a case of three calls of some seconds each averages over what disturbs");
        Assert.That(asked[8..], Is.All.EqualTo("restless"));
        Assert.That(asked, Has.Count.EqualTo(BenchmarkBaseline.MostRounds));
        Assert.That(pauses[0], Is.EqualTo((2, 4)));
        Assert.That(pauses[^1], Is.EqualTo((BenchmarkBaseline.MostRounds, 1)));
        Assert.That(results.Count(r => r.Name == "disturbed"), Is.EqualTo(8));
        Assert.That(results, Has.Count.EqualTo(4 + 8 + 20 + 3));
    }

    [Test]
    public void A_steady_machine_needs_one_round_more()
    {
        int rounds = 0;
        BenchmarkBaseline.Measure((_, _) =>
        {
            rounds++;
            return [Result("steady", 1)];
        });
        Assert.That(rounds, Is.EqualTo(BenchmarkBaseline.Sightings));
    }

    private static BenchmarkResult Result(string name, double seconds) => new()
    {
        Name = name,
        Sizes = [],
        Precision = Precision.Fp32,
        Cold = false,
        Median = name == "long" ? seconds : 1e-3,
        Fast = seconds,
        Slow = seconds,
        Calls = 3,
        Unit = "items/s",
        Work = 1,
        AllocatedBytes = 0,
    };
}
