using Spk.Engine.Audio;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

/// <summary>Small corpora for tests.</summary>
internal static class VoicesCorpus
{
    /// <summary>Noise-like utterances of given lengths, dealt to speakers in turn.</summary>
    public static Corpus Random(int[] lengths, int speakers = 3)
    {
        var utterances = lengths.Select((_, i) => new Utterance($"u{i}.wav", "", $"sp{i % speakers}")).ToArray();
        var pcm = lengths.Select((length, i) => Pcm(100 + i, length)).ToArray();
        return Corpus.FromSamples(utterances, pcm, 16000);
    }

    public static short[] Pcm(int seed, int length)
    {
        var pcm = new short[length];
        WavFile.Quantize(Samples.Normal(seed, length, 0.1f), pcm);
        return pcm;
    }

    /// <summary>Writes WAV files and a manifest of them; returns the samples.</summary>
    public static short[][] Write(TemporaryFolder folder, params int[] lengths)
    {
        var all = new List<short[]>();
        var rows = new List<string> { "path,speaker,session" };
        for (int i = 0; i < lengths.Length; i++)
        {
            all.Add(Pcm(i, lengths[i]));
            WavFile.Write(folder.At($"{i}.wav"), all[i], 16000);
            rows.Add(i == 0 ? "0.wav,," : $"{i}.wav,sp{i % 2},x{i}");
        }

        folder.Text("m.csv", string.Join('\n', rows));
        return [.. all];
    }
}
