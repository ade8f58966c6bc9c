using NUnit.Framework;
using Spk.Engine.Numerics;

namespace Spk.Tests.Numerics;

public class PhiloxTests
{
    // Known-answer vectors of Philox4x32-10 published with the Random123 library: all zeros, all ones, digits of pi.
    [TestCase(0u, 0u, 0u, 0u, 0ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [TestCase(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xfffffffffffffffful, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [TestCase(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0x299f31d0a4093822ul, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Known_answers(uint c0, uint c1, uint c2, uint c3, ulong key, uint r0, uint r1, uint r2, uint r3) =>
        Assert.That(Philox.Block(key, c0, c1, c2, c3), Is.EqualTo((r0, r1, r2, r3)));

    [Test]
    public void Sequences_of_different_purposes_epochs_and_items_differ()
    {
        var first = new HashSet<uint>();
        foreach (var purpose in Enum.GetValues<RandomPurpose>())
        {
            for (int epoch = 0; epoch < 3; epoch++)
            {
                for (int item = 0; item < 3; item++)
                {
                    first.Add(new CounterRandom(7, purpose, epoch, item).NextWord());
                }
            }
        }

        Assert.That(first, Has.Count.EqualTo(9 * Enum.GetValues<RandomPurpose>().Length));
    }

    [Test]
    public void Normal_numbers_have_zero_mean_and_unit_variance()
    {
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        double sum = 0, squares = 0;
        const int count = 100_000;
        for (int i = 0; i < count; i++)
        {
            double value = random.NextNormal();
            sum += value;
            squares += value * value;
        }

        // Four standard errors: 4/√n for the mean, 4·√(2/n) for the variance.
        Assert.That(sum / count, Is.Zero.Within(0.0127));
        Assert.That(squares / count, Is.EqualTo(1).Within(0.0179));
    }

    [Test]
    public void Shuffle_is_a_permutation_and_integers_cover_their_range()
    {
        var random = new CounterRandom(3, RandomPurpose.Shuffle);
        var items = Enumerable.Range(0, 1000).ToArray();
        random.Shuffle(items);
        Assert.That(items, Is.Not.Ordered);
        Assert.That(items.Order(), Is.EqualTo(Enumerable.Range(0, 1000)));
        var seen = new HashSet<int>();
        for (int i = 0; i < 200; i++)
        {
            seen.Add(random.NextInt(5));
        }

        Assert.That(seen.Order(), Is.EqualTo(new[] { 0, 1, 2, 3, 4 }));
    }
}
