using System.Runtime.CompilerServices;

namespace Spk.Engine.Numerics;

/// <summary>
/// Counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// A number is a function of (seed, stream, epoch, item, index) and of nothing else: no state, no order, no thread.
/// </summary>
public static class Philox
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>Four random words for one counter.</summary>
    /// <param name="seed">Key: the run's seed.</param>
    /// <param name="c0">Counter word 0: index of the block within the item.</param>
    /// <param name="c1">Counter word 1: item.</param>
    /// <param name="c2">Counter word 2: epoch.</param>
    /// <param name="c3">Counter word 3: stream.</param>
    /// <returns>Four independent uniform 32-bit words.</returns>
    public static (uint R0, uint R1, uint R2, uint R3) Block(ulong seed, uint c0, uint c1, uint c2, uint c3)
    {
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)Multiplier0 * c0, p1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>Maps a word to [0, 1) with 24 random bits.</summary>
    /// <param name="word">A uniform word.</param>
    /// <returns>A multiple of 2^-24 below 1.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToUnit(uint word) => (word >> 8) * (1f / 16777216f);
}

/// <summary>What a random number is for; each purpose draws from its own stream.</summary>
public enum RandomPurpose
{
    /// <summary>Initial weights.</summary>
    Initialization = 1,

    /// <summary>Order of utterances in an epoch.</summary>
    Shuffle = 2,

    /// <summary>Positions of crops.</summary>
    Crop = 3,

    /// <summary>Reverberation, noise, gain and speed.</summary>
    Augmentation = 4,

    /// <summary>Dither of the filterbank.</summary>
    Dither = 5,

    /// <summary>Bootstrap draws of the evaluation.</summary>
    Bootstrap = 6,

    /// <summary>Synthetic voices.</summary>
    Synthesis = 7,

    /// <summary>Splits of a corpus.</summary>
    Split = 8,

    /// <summary>Cluster initialisation.</summary>
    Clustering = 9,

    /// <summary>Layouts of plots.</summary>
    Plot = 10,

    /// <summary>Positions of short crops (multi-crop training).</summary>
    LocalCrop = 11,

    /// <summary>Positions of the clean segments that references are made of.</summary>
    ReferenceCrop = 12,

    /// <summary>Positives drawn from other utterances.</summary>
    PositiveSampling = 13,

    /// <summary>Order of a batch before the key encoder.</summary>
    KeyOrder = 14,

    /// <summary>First rows of a queue.</summary>
    Queue = 15,

    /// <summary>Utterances drawn of a dialogue, and synthetic dialogues.</summary>
    Dialogue = 16,

    /// <summary>Partners and weights of rows that are mixed (i-mix, l-mix).</summary>
    Mix = 17,

    /// <summary>Wrong labels given on purpose.</summary>
    LabelNoise = 18,

    /// <summary>Vectors of an alignment's batches.</summary>
    Alignment = 19,

    /// <summary>Directions and weights that CAMSAT perturbs and mixes rows with.</summary>
    Perturbation = 20,
}

/// <summary>A sequence of random numbers for one (seed, stream, epoch, item): a value type, cheap to make anywhere.</summary>
public struct CounterRandom
{
    private readonly ulong _seed;
    private readonly uint _stream, _epoch, _item;
    private uint _block;
    private int _left;
    private uint _r0, _r1, _r2, _r3;

    /// <summary>Starts the sequence.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="stream">What the numbers are for.</param>
    /// <param name="epoch">Epoch, 0 where there is none.</param>
    /// <param name="item">Utterance, parameter or other item.</param>
    public CounterRandom(ulong seed, RandomPurpose stream, long epoch = 0, long item = 0)
    {
        _seed = seed;
        _stream = (uint)stream;
        _epoch = (uint)epoch;
        _item = (uint)item;
    }

    /// <summary>The next uniform 32-bit word.</summary>
    public uint NextWord()
    {
        if (_left == 0)
        {
            (_r0, _r1, _r2, _r3) = Philox.Block(_seed, _block++, _item, _epoch, _stream);
            _left = 4;
        }

        return _left-- switch { 4 => _r0, 3 => _r1, 2 => _r2, _ => _r3 };
    }

    /// <summary>The next number of [0, 1).</summary>
    public float NextFloat() => Philox.ToUnit(NextWord());

    /// <summary>The next number of [low, high).</summary>
    /// <param name="low">Lower bound.</param>
    /// <param name="high">Upper bound.</param>
    public float NextFloat(float low, float high) => low + ((high - low) * NextFloat());

    /// <summary>The next integer of [0, count), without modulo bias beyond 2^-32.</summary>
    /// <param name="count">Above 0.</param>
    public int NextInt(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return (int)(((ulong)NextWord() * (ulong)count) >> 32);
    }

    /// <summary>The next standard normal number (Box-Muller, cosine branch).</summary>
    public float NextNormal()
    {
        // (word + 1) / 2^32 lies in (0, 1], so the logarithm is finite.
        double radius = Math.Sqrt(-2.0 * Math.Log((NextWord() + 1.0) / 4294967296.0));
        return (float)(radius * Math.Cos(2.0 * Math.PI * NextWord() / 4294967296.0));
    }

    /// <summary>Puts a span into uniformly random order (Fisher-Yates).</summary>
    /// <param name="items">Reordered in place.</param>
    public void Shuffle(Span<int> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = NextInt(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
