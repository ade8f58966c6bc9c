using NUnit.Framework;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class CropSamplerTests
{
    private const int Draws = 4000;

    [Test]
    public void Random_starts_are_uniform_over_all_places()
    {
        var counts = new int[11];
        foreach (var (a, b) in Pairs(CropPairing.Random, length: 110, crop: 100))
        {
            counts[a]++;
            counts[b]++;
        }

        // 8000 draws over 11 places: the deviation of a count is 26.
        Assert.That(counts, Has.All.InRange(597, 857));
    }

    [Test]
    public void Crops_apart_do_not_overlap_and_reach_both_ends()
    {
        var pairs = Pairs(CropPairing.Apart, length: 250, crop: 100).ToArray();

        Assert.That(pairs, Has.All.Matches<(int A, int B)>(p => Math.Abs(p.A - p.B) >= 100 && Math.Min(p.A, p.B) >= 0 && Math.Max(p.A, p.B) <= 150));
        Assert.That(pairs.Min(p => Math.Min(p.A, p.B)), Is.Zero);
        Assert.That(pairs.Max(p => Math.Max(p.A, p.B)), Is.EqualTo(150));
        Assert.That(pairs.Count(p => p.A < p.B), Is.InRange((Draws / 2) - 130, (Draws / 2) + 130), "either crop comes first equally often");
    }

    [Test]
    public void Crops_apart_have_the_distribution_of_two_sorted_integers()
    {
        // Slack 2: of the 9 pairs of integers, sorted, (0,0) (1,1) (2,2) have one each, (0,1) (0,2) (1,2) two.
        var seen = Pairs(CropPairing.Apart, length: 22, crop: 10).CountBy(p => (Math.Min(p.A, p.B), Math.Max(p.A, p.B) - 10)).ToDictionary();

        Assert.That(seen.Keys, Is.EquivalentTo(new[] { (0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2) }));
        foreach (var ((first, gap), count) in seen)
        {
            double want = Draws * (first == gap ? 1 : 2) / 9.0;
            Assert.That(count, Is.EqualTo(want).Within(5 * Math.Sqrt(want)), $"({first}, {gap})");
        }
    }

    [TestCase(150, 100, 0, 50)]
    [TestCase(100, 100, 0, 0)]
    [TestCase(40, 100, 0, 0)]
    [TestCase(1, 100, 0, 0)]
    [TestCase(200, 100, 0, 100)]
    public void Short_utterances_overlap_as_little_as_possible(int length, int crop, int first, int second)
    {
        foreach (var (a, b) in Pairs(CropPairing.Apart, length, crop).Take(50))
        {
            Assert.That((Math.Min(a, b), Math.Max(a, b)), Is.EqualTo((first, second)));
        }
    }

    [Test]
    public void Starts_depend_on_seed_epoch_and_utterance_only()
    {
        int[] Draw(ulong seed, long epoch, int utterance)
        {
            var starts = new int[4];
            new CropSampler(seed).Sample(epoch, utterance, 100_000, 1000, starts);
            return starts;
        }

        int[] once = Draw(1, 2, 3);
        Assert.That(Draw(1, 2, 3), Is.EqualTo(once));
        Assert.That(Draw(1, 2, 3), Is.Not.EqualTo(Draw(2, 2, 3)));
        Assert.That(Draw(1, 2, 3), Is.Not.EqualTo(Draw(1, 3, 3)));
        Assert.That(Draw(1, 2, 3), Is.Not.EqualTo(Draw(1, 2, 4)));
        Assert.That(Draw(1, 2, 3).Distinct().Count(), Is.EqualTo(4));
    }

    [TestCase(110, 10, new[] { 0, 25, 50, 75, 100 })]
    [TestCase(110, 10, new[] { 50 })]
    [TestCase(5, 10, new[] { 0, 0, 0 })]
    [TestCase(10, 10, new[] { 0, 0 })]
    public void Evaluation_segments_are_evenly_spaced(int length, int crop, int[] want)
    {
        var starts = new int[want.Length];
        CropSampler.EvenlySpaced(length, crop, starts);
        Assert.That(starts, Is.EqualTo(want));
    }

    [Test]
    public void Pairing_is_parsed_or_refused_by_field()
    {
        Assert.That(CropSampler.ParsePairing("apart", "f"), Is.EqualTo(CropPairing.Apart));
        Assert.That(CropSampler.ParsePairing("random", "f"), Is.EqualTo(CropPairing.Random));
        Assert.That(Assert.Throws<InvalidOptionException>(() => CropSampler.ParsePairing("far", "data.pairing"))!.Message, Does.Contain("data.pairing = 'far'"));
    }

    private static IEnumerable<(int A, int B)> Pairs(CropPairing pairing, int length, int crop)
    {
        var sampler = new CropSampler(7, pairing);
        var starts = new int[2];
        for (int i = 0; i < Draws; i++)
        {
            sampler.Sample(i % 10, i / 10, length, crop, starts);
            yield return (starts[0], starts[1]);
        }
    }
}
