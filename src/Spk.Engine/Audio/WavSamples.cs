using System.Buffers.Binary;
using Spk.Interop;

namespace Spk.Engine.Audio;

/// <summary>Turns the bytes of a WAV file's samples into numbers.</summary>
internal static class WavSamples
{
    private const float Pcm16Scale = 32768f;

    /// <summary>Decodes all frames to mono.</summary>
    public static void Decode(ReadOnlySpan<byte> bytes, in AudioInfo info, ChannelPolicy policy, Span<float> mono, string path)
    {
        int bytesPerSample = BytesOf(info.Format);
        int channels = info.Channels;
        int used = policy == ChannelPolicy.Mean ? channels : 1;
        for (int frame = 0; frame < mono.Length; frame++)
        {
            var at = bytes[(frame * channels * bytesPerSample)..];
            double sum = 0;
            for (int channel = 0; channel < used; channel++)
            {
                sum += One(at[(channel * bytesPerSample)..], info.Format);
            }

            float value = (float)(sum / used);
            if (!float.IsFinite(value))
            {
                throw new DataFormatException($"{path} holds {value} at frame {frame}: only finite samples are usable; repair or remove the file.");
            }

            mono[frame] = value;
        }
    }

    /// <summary>The nearest 16-bit sample; clipped.</summary>
    public static short ToInt16(float value) => (short)Math.Clamp(MathF.Round(value * Pcm16Scale), short.MinValue, short.MaxValue);

    private static int BytesOf(SampleFormat format) => format switch
    {
        SampleFormat.Pcm8 => 1,
        SampleFormat.Pcm16 => 2,
        SampleFormat.Pcm24 => 3,
        SampleFormat.Float64 => 8,
        _ => 4,
    };

    private static double One(ReadOnlySpan<byte> at, SampleFormat format) => format switch
    {
        SampleFormat.Pcm8 => (at[0] - 128) / 128.0,
        SampleFormat.Pcm16 => BinaryPrimitives.ReadInt16LittleEndian(at) / 32768.0,
        SampleFormat.Pcm24 => (at[0] | (at[1] << 8) | ((sbyte)at[2] << 16)) / 8388608.0,
        SampleFormat.Pcm32 => BinaryPrimitives.ReadInt32LittleEndian(at) / 2147483648.0,
        SampleFormat.Float32 => BinaryPrimitives.ReadSingleLittleEndian(at),
        _ => BinaryPrimitives.ReadDoubleLittleEndian(at),
    };
}
