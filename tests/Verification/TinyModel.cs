using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Tests.Support;

namespace Spk.Tests.Verification;

/// <summary>A small encoder with initial weights: embeddings that differ between recordings are all that is needed of it.</summary>
internal static class TinyModel
{
    public const int Size = 12;

    public static string Save(string path, ulong seed = 1)
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        var spec = new EncoderSpec { Kind = "tdnn", Bins = 40, Width = 8, LastWidth = 16, EmbeddingSize = Size };
        var encoder = Encoder.Create(spec, parameters);
        parameters.Allocate(seed);
        new SpeakerModel(new FeatureExtractor(device, FeatureSpec.TorchaudioMel40), encoder, parameters).Save(path);
        return path;
    }

    /// <summary>Random embeddings, with a mean far from zero as real ones have.</summary>
    public static EmbeddingTable Table(int count, int seed = 1) =>
        new([.. Enumerable.Range(0, count).Select(i => $"e{i}")], [.. Samples.Normal(seed, count * Size).Select((v, i) => v + (i % Size * 0.1f))], Size);

    /// <summary>A voice of a kind: a pitch with an intonation of its own, and overtones; the take changes the noise only.</summary>
    public static float[] Voice(int speaker, int take = 0, double seconds = 1)
    {
        var random = new CounterRandom((ulong)speaker, RandomPurpose.Plot, item: take);
        var wave = new float[(int)(16000 * seconds)];
        double phase = 0;
        for (int i = 0; i < wave.Length; i++)
        {
            phase += 0.05 + (0.02 * speaker) + (0.03 * Math.Sin(i * 0.0005 * (1 + speaker)));
            wave[i] = (float)((0.2 * Math.Sin(phase)) + (0.2 * Math.Sin(phase * (2 + speaker)) * Math.Sin(i * 0.002))) + random.NextFloat(-0.001f, 0.001f);
        }

        return wave;
    }
}
