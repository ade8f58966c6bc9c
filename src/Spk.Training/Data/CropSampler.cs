using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// Chooses where crops start. A start is a function of (seed, epoch, utterance) only, so that any batch of any epoch can be
/// made at any time.
/// </summary>
public sealed class CropSampler
{
    private readonly ulong _seed;
    private readonly RandomPurpose _purpose;

    /// <summary>Makes a sampler.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="pairing">How two crops of one utterance lie to each other; other numbers of crops are always random.</param>
    /// <param name="purpose">What the crops are for: samplers of different purposes draw independently.</param>
    public CropSampler(ulong seed, CropPairing pairing = CropPairing.Random, RandomPurpose purpose = RandomPurpose.Crop)
    {
        _seed = seed;
        _purpose = purpose;
        Pairing = pairing;
    }

    /// <summary>How two crops of one utterance lie to each other.</summary>
    public CropPairing Pairing { get; }

    /// <summary>Draws the starts of all crops of one utterance.</summary>
    /// <remarks>
    /// An utterance shorter than a crop counts as repeated until it fills one, so its crops start at 0. Two crops apart: with
    /// slack s = max(0, length − 2 crop), two uniform integers of [0, s] are sorted to a ≤ b; the crops start at a and at
    /// length − crop − (s − b), and change places with probability 1/2.
    /// </remarks>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="utterance">Index of the utterance.</param>
    /// <param name="length">Its samples, above 0.</param>
    /// <param name="crop">Samples of one crop, above 0.</param>
    /// <param name="starts">Receives one start per crop.</param>
    public void Sample(long epoch, int utterance, int length, int crop, Span<int> starts)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(crop);
        var random = new CounterRandom(_seed, _purpose, epoch, utterance);
        int usable = Math.Max(length, crop);
        if (Pairing == CropPairing.Random || starts.Length != 2)
        {
            foreach (ref int start in starts)
            {
                start = random.NextInt(usable - crop + 1);
            }

            return;
        }

        int slack = (int)Math.Max(0, usable - (2L * crop));
        int a = random.NextInt(slack + 1), b = random.NextInt(slack + 1);
        int first = Math.Min(a, b), second = usable - crop - (slack - Math.Max(a, b));
        bool swap = random.NextFloat() >= 0.5f;
        starts[0] = swap ? second : first;
        starts[1] = swap ? first : second;
    }

    /// <summary>Starts of segments spread evenly over an utterance, for evaluation: first at 0, last at the end.</summary>
    /// <param name="length">Samples of the utterance, above 0.</param>
    /// <param name="crop">Samples of a segment, above 0.</param>
    /// <param name="starts">Receives one start per segment; a single one lies in the middle; all are 0 where the utterance is shorter.</param>
    public static void EvenlySpaced(int length, int crop, Span<int> starts)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(crop);
        long slack = Math.Max(0, length - crop);
        for (int i = 0; i < starts.Length; i++)
        {
            starts[i] = (int)(starts.Length == 1 ? slack / 2 : slack * i / (starts.Length - 1));
        }
    }

    /// <summary>Parses the recipe's word for a pairing.</summary>
    /// <param name="word"><c>random</c> or <c>apart</c>.</param>
    /// <param name="field">The recipe field, for the message.</param>
    /// <exception cref="InvalidOptionException">The word is neither.</exception>
    public static CropPairing ParsePairing(string word, string field) => word switch
    {
        "random" => CropPairing.Random,
        "apart" => CropPairing.Apart,
        _ => throw new InvalidOptionException($"{field} = '{word}': allowed are random and apart."),
    };
}
