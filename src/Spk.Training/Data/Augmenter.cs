using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// Changes crops at random: what happens to a crop is a function of (seed, epoch, item) only. Allocates nothing once its buffers
/// have the size of the batch.
/// </summary>
public sealed class Augmenter : IDisposable
{
    private readonly Device _device;
    private readonly ulong _seed;
    private readonly int _samples;
    private readonly Corpus? _noise;
    private readonly Category[] _categories;
    private readonly IReadOnlyList<float[]> _responsesOfRooms;
    private readonly RirBank? _rooms;
    private readonly bool _ownsNoise;
    private readonly float[] _speeds;
    private CropRequest[] _requests = [];
    private float[] _snr = [];
    private int[] _responses = [];

    /// <summary>Loads noise and rooms, or makes them where the spec names none.</summary>
    /// <param name="device">Where crops are changed.</param>
    /// <param name="spec">What to change.</param>
    /// <param name="voices">The training corpus, for babble where no noise folder is given.</param>
    /// <param name="samples">Samples of a crop, L.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="root">Folder that the spec's folders are relative to; null for the working directory.</param>
    /// <param name="options">Sample rate of the crops, and what to do with noise and rooms of another; null for 16 kHz mono.</param>
    /// <exception cref="InvalidOptionException">A field of the spec is out of range.</exception>
    /// <exception cref="DataFormatException">A folder is missing or empty, or a file in it cannot be used.</exception>
    public Augmenter(
        Device device, AugmentationSpec spec, PcmSource voices, int samples, ulong seed, string? root = null, CorpusOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(voices);
        spec.Validate();
        options ??= new CorpusOptions();
        _device = device;
        _seed = seed;
        _samples = samples;
        _speeds = [.. spec.Speeds];
        Spec = spec;
        string At(string folder) => Path.GetFullPath(folder, Path.GetFullPath(root ?? "."));
        if (spec.ReverbProbability > 0)
        {
            _responsesOfRooms = spec.Rir is { } folder ? AugmentationBanks.LoadRooms(At(folder), options) : AugmentationBanks.MakeRooms(options.SampleRate, seed);
            _rooms = new RirBank(device, _responsesOfRooms, samples);
        }
        else
        {
            _responsesOfRooms = [];
        }

        if (spec.NoiseProbability > 0)
        {
            _noise = spec.Noise is { } folder
                ? AugmentationBanks.LoadNoise(At(folder), options)
                : AugmentationBanks.MakeNoise(voices, options.SampleRate, seed);
        }

        _ownsNoise = true;
        _categories = _noise is null ? [] : Categorize(_noise, spec);
    }

    private Augmenter(Augmenter other, int samples)
    {
        (_device, _seed, _speeds, _noise, _categories, Spec) = (other._device, other._seed, other._speeds, other._noise, other._categories, other.Spec);
        _samples = samples;
        _responsesOfRooms = other._responsesOfRooms;
        _rooms = other._rooms is null ? null : new RirBank(_device, _responsesOfRooms, samples);
    }

    /// <summary>What is changed.</summary>
    public AugmentationSpec Spec { get; }

    /// <summary>Number of noise recordings.</summary>
    public int NoiseCount => _noise?.Count ?? 0;

    /// <summary>Number of room responses.</summary>
    public int RoomCount => _rooms?.Count ?? 0;

    /// <summary>The same changes for crops of another length. It shares noise recordings with this one, which must outlive it.</summary>
    /// <param name="samples">Samples of its crops, 1 or more.</param>
    public Augmenter ForLength(int samples)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        return new Augmenter(this, samples);
    }

    /// <summary>Speed and gain of a crop, to be applied while it is cut.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="item">Which crop; distinct for every crop of an epoch.</param>
    /// <returns>Gain as a factor, and speed.</returns>
    public (float Gain, float Speed) Cut(long epoch, int item)
    {
        var draw = Draw(epoch, item);
        return (draw.Gain, draw.Speed);
    }

    /// <summary>Reverberates crops, then adds noise.</summary>
    /// <param name="waves">Crops, f32 [N, L]; overwritten.</param>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="items">N crops, numbered as for <see cref="Cut"/>.</param>
    /// <exception cref="ShapeException">waves is not [N, L] for N items and the length given at construction.</exception>
    public void Apply(Tensor waves, long epoch, ReadOnlySpan<int> items)
    {
        ArgumentNullException.ThrowIfNull(waves);
        if (waves.Shape.Rank != 2 || waves.Shape[0] != items.Length || waves.Shape[1] != _samples)
        {
            throw new ShapeException($"Augmentation needs crops [{items.Length}, {_samples}], not {waves.Shape}.");
        }

        var (anyRoom, anyNoise) = DrawAll(epoch, items);
        if (anyRoom)
        {
            ConvolveRir.Apply(waves, _rooms!, _responses.AsSpan(0, items.Length));
        }

        if (anyNoise)
        {
            // Rows that stay clean read the first recording: a short copy that is left unused.
            var noise = CropGather.Forward(_device, _noise!, _requests.AsSpan(0, items.Length), _samples);
            MixNoise.Apply(waves, noise, _snr.AsSpan(0, items.Length));
        }
    }

    /// <summary>Announces crops that <see cref="Apply"/> will be asked for later: their noise then travels to a GPU meanwhile.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="items">The crops, as for <see cref="Apply"/>.</param>
    public void Prepare(long epoch, ReadOnlySpan<int> items)
    {
        if (DrawAll(epoch, items).AnyNoise)
        {
            CropGather.Prepare(_device, _noise!, _requests.AsSpan(0, items.Length), _samples);
        }
    }

    /// <summary>Frees the noise recordings, where they are its own.</summary>
    public void Dispose()
    {
        if (_ownsNoise)
        {
            _noise?.Dispose();
        }
    }

    /// <summary>Everything about one crop, always drawn in the same order.</summary>
    internal AugmentationDraw Draw(long epoch, int item)
    {
        var random = new CounterRandom(_seed, RandomPurpose.Augmentation, epoch, item);
        float decibels = random.NextFloat(Spec.GainMinimumDb, Spec.GainMaximumDb);
        float gain = decibels == 0 ? 1f : MathF.Pow(10, decibels / 20);
        float speed = _speeds.Length == 0 ? 1f : _speeds[random.NextInt(_speeds.Length)];
        int room = random.NextFloat() < Spec.ReverbProbability ? random.NextInt(_rooms!.Count) : -1;
        if (!(random.NextFloat() < Spec.NoiseProbability))
        {
            return new AugmentationDraw(gain, speed, room, 0, 0, float.NaN);
        }

        ref readonly var category = ref _categories[random.NextInt(_categories.Length)];
        int noise = category.Recordings[random.NextInt(category.Recordings.Length)];
        int start = random.NextInt(Math.Max(0, _noise!.LengthOf(noise) - _samples) + 1);
        return new AugmentationDraw(gain, speed, room, noise, start, random.NextFloat(category.SnrMinimumDb, category.SnrMaximumDb));
    }

    private (bool AnyRoom, bool AnyNoise) DrawAll(long epoch, ReadOnlySpan<int> items)
    {
        if (_requests.Length < items.Length)
        {
            _requests = new CropRequest[items.Length];
            _snr = new float[items.Length];
            _responses = new int[items.Length];
        }

        bool anyRoom = false, anyNoise = false;
        for (int i = 0; i < items.Length; i++)
        {
            var draw = Draw(epoch, items[i]);
            _responses[i] = draw.Room;
            _snr[i] = draw.SnrDb;
            _requests[i] = new CropRequest(draw.Noise, draw.NoiseStart);
            anyRoom |= draw.Room >= 0;
            anyNoise |= !float.IsNaN(draw.SnrDb);
        }

        return (anyRoom, anyNoise);
    }

    private static Category[] Categorize(Corpus noise, AugmentationSpec spec)
    {
        int[] Of(Func<string?, bool> test) => [.. Enumerable.Range(0, noise.Count).Where(i => test(noise.Utterances[i].Speaker))];
        Category[] all =
        [
            new(NoiseKinds.Noise, Of(c => c is not ("speech" or "music")), spec.SnrMinimumDb, spec.SnrMaximumDb),
            new(NoiseKinds.Speech, Of(c => c is "speech"), spec.SpeechSnrMinimumDb, spec.SpeechSnrMaximumDb),
            new(NoiseKinds.Music, Of(c => c is "music"), spec.MusicSnrMinimumDb, spec.MusicSnrMaximumDb),
        ];
        Category[] present = [.. all.Where(c => c.Recordings.Length > 0)], wanted = [.. present.Where(c => (spec.NoiseKinds & c.Kind) != 0)];
        return wanted.Length > 0 ? wanted : present;
    }

    private readonly record struct Category(NoiseKinds Kind, int[] Recordings, float SnrMinimumDb, float SnrMaximumDb);
}

/// <summary>What happens to one crop.</summary>
/// <param name="Gain">Factor.</param>
/// <param name="Speed">Reading speed.</param>
/// <param name="Room">Index of the room response, −1 for none.</param>
/// <param name="Noise">Index of the noise recording.</param>
/// <param name="NoiseStart">Its first sample.</param>
/// <param name="SnrDb">Signal-to-noise ratio; NaN for no noise.</param>
internal readonly record struct AugmentationDraw(float Gain, float Speed, int Room, int Noise, int NoiseStart, float SnrDb);
