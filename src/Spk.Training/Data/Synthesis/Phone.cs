using Spk.Engine.Numerics;

namespace Spk.Training.Data.Synthesis;

/// <summary>Acoustic target of a speech sound, for a vocal tract of average length.</summary>
/// <param name="F1">First formant, Hz.</param>
/// <param name="F2">Second formant, Hz.</param>
/// <param name="F3">Third formant, Hz.</param>
/// <param name="Voicing">Amplitude of the voice source, 0 to 1.</param>
/// <param name="Aspiration">Amplitude of noise made at the glottis, 0 to 1.</param>
/// <param name="Frication">Amplitude of noise made at a constriction, 0 to 1.</param>
/// <param name="Center">Centre of the constriction noise, Hz.</param>
/// <param name="Width">Bandwidth of the constriction noise, Hz.</param>
/// <param name="Milliseconds">Usual duration.</param>
/// <param name="VowelIndex">Place among <see cref="Vowels"/>, −1 for other sounds.</param>
internal readonly record struct Phone(
    float F1, float F2, float F3, float Voicing, float Aspiration, float Frication, float Center, float Width, float Milliseconds,
    int VowelIndex = -1)
{
    /// <summary>Vowels, from close front to rhotic.</summary>
    public static readonly Phone[] Vowels =
    [
        Vowel(0, 290, 2250, 2950), Vowel(1, 400, 1950, 2550), Vowel(2, 540, 1820, 2480), Vowel(3, 680, 1700, 2430), Vowel(4, 730, 1150, 2450),
        Vowel(5, 580, 880, 2430), Vowel(6, 450, 840, 2380), Vowel(7, 310, 880, 2260), Vowel(8, 620, 1220, 2440), Vowel(9, 490, 1330, 1700),
    ];

    /// <summary>Consonants; a stop is a closure followed by its burst.</summary>
    public static readonly Phone[][] Consonants =
    [
        [Sonorant(270, 1050, 2200, 0.45f)], // m
        [Sonorant(280, 1650, 2500, 0.45f)], // n
        [Sonorant(360, 1150, 2750, 0.7f)], // l
        [Sonorant(340, 1120, 1600, 0.7f)], // r
        [Sonorant(290, 680, 2250, 0.7f)], // w
        [Sonorant(280, 2250, 3000, 0.7f)], // j
        [new(400, 1500, 2550, 0, 0, 0.55f, 6300, 1900, 105)], // s
        [new(400, 1700, 2500, 0, 0, 0.6f, 3100, 1300, 105)], // sh
        [new(380, 1100, 2300, 0, 0, 0.18f, 5200, 5000, 90)], // f
        [new(350, 1500, 2550, 0.35f, 0, 0.3f, 6000, 1900, 75)], // z
        [new(500, 1450, 2450, 0, 0.5f, 0, 2000, 2000, 60)], // h
        [Closure(380, 900, 2200), Burst(380, 900, 2200, 1100, 1600)], // p
        [Closure(380, 1700, 2600), Burst(380, 1700, 2600, 4200, 2000)], // t
        [Closure(350, 1900, 2200), Burst(350, 1900, 2200, 2100, 900)], // k
    ];

    /// <summary>A pause.</summary>
    public static readonly Phone Silence = new(500, 1500, 2500, 0, 0, 0, 2000, 2000, 90);

    /// <summary>
    /// Draws syllables until they fill a length. Sounds are dealt from shuffled decks, as in phonetically balanced prompts: a few seconds
    /// then hold about the same sounds in another order.
    /// </summary>
    public static List<Phone> Sequence(ref CounterRandom random, float milliseconds, float rate)
    {
        var phones = new List<Phone>();
        var vowels = new Deck(Vowels.Length);
        var consonants = new Deck(Consonants.Length);
        float filled = 0;
        void Add(Phone phone, float stretch)
        {
            phones.Add(phone with { Milliseconds = phone.Milliseconds * stretch / rate });
            filled += phones[^1].Milliseconds;
        }

        Add(Silence, 0.5f);
        while (filled < milliseconds)
        {
            float stretch = MathF.Exp(0.2f * random.NextNormal());
            foreach (var phone in Consonants[consonants.Next(ref random)])
            {
                Add(phone, stretch);
            }

            Add(Vowels[vowels.Next(ref random)], stretch);
            if (random.NextFloat() < 0.05f)
            {
                Add(Silence, stretch);
            }
        }

        return phones;
    }

    private static Phone Vowel(int index, float f1, float f2, float f3) => new(f1, f2, f3, 1, 0, 0, 2000, 2000, 100, index);

    private static Phone Sonorant(float f1, float f2, float f3, float voicing) => new(f1, f2, f3, voicing, 0, 0, 2000, 2000, 70);

    private static Phone Closure(float f1, float f2, float f3) => new(f1, f2, f3, 0, 0, 0, 2000, 2000, 50);

    private static Phone Burst(float f1, float f2, float f3, float center, float width) => new(f1, f2, f3, 0, 0.25f, 0.6f, center, width, 22);

    /// <summary>Deals numbers in random order, each once before any comes again.</summary>
    private sealed class Deck(int count)
    {
        private readonly int[] _cards = [.. Enumerable.Range(0, count)];
        private int _next;

        public int Next(ref CounterRandom random)
        {
            if (_next == 0)
            {
                random.Shuffle(_cards);
                _next = _cards.Length;
            }

            return _cards[--_next];
        }
    }
}
