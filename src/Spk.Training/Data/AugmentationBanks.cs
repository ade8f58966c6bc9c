using Spk.Engine.Audio;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Audio;
using Spk.Interop;
using Spk.Training.Data.Synthesis;

namespace Spk.Training.Data;

/// <summary>Loads the noise and the room responses of an augmentation, or makes them where none are given.</summary>
internal static class AugmentationBanks
{
    private const int SyntheticNoises = 12;
    private const int SyntheticBabbles = 12;
    private const int SyntheticRooms = 32;
    private const int SyntheticSeconds = 8;
    private const string SpeechCategory = "speech";

    /// <summary>Recorded noise; the label of an utterance is its category.</summary>
    public static Corpus LoadNoise(string folder, CorpusOptions options)
    {
        if (CorpusPack.IsPack(folder))
        {
            var pack = Corpus.OpenPack(folder);
            if (pack.SampleRate == options.SampleRate)
            {
                return pack;
            }

            int rate = pack.SampleRate;
            pack.Dispose();
            throw new DataFormatException($"The noise pack {folder} has {rate} Hz where {options.SampleRate} Hz is wanted: pack it again at that rate.");
        }

        return Corpus.Load(LoadFolder(folder, "data.augmentation.noise"), options);
    }

    /// <summary>Coloured noise, and babble of three to seven utterances each.</summary>
    public static Corpus MakeNoise(PcmSource voices, int sampleRate, ulong seed)
    {
        int samples = SyntheticSeconds * sampleRate;
        int babbles = voices.Count > 0 ? SyntheticBabbles : 0;
        var utterances = new Utterance[SyntheticNoises + babbles];
        var pcm = new short[utterances.Length][];
        Parallel.For(0, utterances.Length, i =>
        {
            var random = new CounterRandom(seed, RandomPurpose.Augmentation, epoch: -1, item: i);
            bool babble = i >= SyntheticNoises;
            var noise = babble ? Babble(voices, samples, ref random) : Noises.Colored(samples, 2f * i / SyntheticNoises, sampleRate, ref random);
            utterances[i] = new Utterance($"synthetic-{i}", "", babble ? SpeechCategory : null);
            pcm[i] = new short[samples];
            WavFile.Quantize(noise, pcm[i]);
        });
        return Corpus.FromSamples(utterances, pcm, sampleRate);
    }

    /// <summary>Recorded room responses.</summary>
    public static float[][] LoadRooms(string folder, CorpusOptions options)
    {
        var manifest = LoadFolder(folder, "data.augmentation.rir");
        var rooms = new float[manifest.Utterances.Count][];
        Corpus.RunOnEach(manifest.Utterances, folder, i =>
        {
            string path = manifest.Utterances[i].Path;
            var clip = WavFile.Read(path, options.Channels);
            if (clip.SampleRate != options.SampleRate && !options.Resample)
            {
                throw new DataFormatException(Corpus.WrongRate(path, clip.SampleRate, options.SampleRate));
            }

            rooms[i] = Resample.Run(clip.Samples, clip.SampleRate, options.SampleRate);
        }, CancellationToken.None);
        return rooms;
    }

    /// <summary>Decaying Gaussian noise behind the direct sound, RT60 0.2 to 1 s.</summary>
    public static float[][] MakeRooms(int sampleRate, ulong seed)
    {
        var rooms = new float[SyntheticRooms][];
        for (int i = 0; i < rooms.Length; i++)
        {
            var random = new CounterRandom(seed, RandomPurpose.Augmentation, epoch: -2, item: i);
            rooms[i] = Noises.Room(random.NextFloat(0.2f, 1f), sampleRate, ref random);
        }

        return rooms;
    }

    private static Manifest LoadFolder(string folder, string field) => Directory.Exists(folder)
        ? Manifest.Load(folder, format: ManifestFormat.Tree)
        : throw new DataFormatException($"{field}: the folder {folder} does not exist; check the data root, or leave the field out for synthetic material.");

    private static float[] Babble(PcmSource voices, int samples, ref CounterRandom random)
    {
        var sum = new float[samples];
        int talkers = 3 + random.NextInt(5);
        for (int k = 0; k < talkers; k++)
        {
            var voice = voices.Utterance(random.NextInt(voices.Count));
            int start = random.NextInt(voice.Length);
            double energy = 0;
            foreach (short sample in voice)
            {
                energy += (double)sample * sample;
            }

            float scale = (float)(1 / Math.Sqrt((energy / voice.Length) + 1));
            for (int i = 0; i < samples; i++)
            {
                sum[i] += scale * voice[(int)(((long)start + i) % voice.Length)];
            }
        }

        Noises.Normalize(sum, 0.05f);
        return sum;
    }
}
