using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Numerics;

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

    /// <summary>A voice of a kind: a few partials of a pitch, and noise; the take changes the noise only.</summary>
    public static float[] Voice(int speaker, int take = 0, double seconds = 1)
    {
        var random = new CounterRandom((ulong)speaker, RandomPurpose.Plot, item: take);
        var wave = new float[(int)(16000 * seconds)];
        float pitch = 0.03f + (0.011f * speaker);
        for (int i = 0; i < wave.Length; i++)
        {
            wave[i] = (0.2f * MathF.Sin(i * pitch)) + (0.1f * MathF.Sin(i * pitch * (2 + (speaker % 5)))) + random.NextFloat(-0.02f, 0.02f);
        }

        return wave;
    }
}
