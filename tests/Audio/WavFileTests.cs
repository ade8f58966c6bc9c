using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Audio;

public class WavFileTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void Every_sample_format_maps_to_unit_range()
    {
        (int Codec, int Bits, byte[] Data, double[] Want)[] cases =
        [
            (1, 8, [0, 128, 255, 129], [-1, 0, 127 / 128.0, 1 / 128.0]),
            (1, 16, WavBytes.Pcm16(-32768, 0, 32767, 1), [-1, 0, 32767 / 32768.0, 1 / 32768.0]),
            (1, 24, [0, 0, 0x80, 0, 0, 0, 0xFF, 0xFF, 0x7F, 1, 0, 0], [-1, 0, 8388607 / 8388608.0, 1 / 8388608.0]),
            (1, 32, [.. new[] { int.MinValue, 0, 1 << 30, -(1 << 29) }.SelectMany(BitConverter.GetBytes)], [-1, 0, 0.5, -0.25]),
            (3, 32, WavBytes.Float32(-1.5f, 0, 0.75f, 1e-6f), [-1.5, 0, 0.75, 1e-6f]),
            (3, 64, [.. new[] { -1.5, 0, 0.1, 1 }.SelectMany(BitConverter.GetBytes)], [-1.5, 0, 0.1f, 1]),
        ];
        foreach (var (codec, bits, data, want) in cases)
        {
            foreach (byte[] file in new[] { WavBytes.Make(codec, bits, 1, 22050, data), WavBytes.MakeExtensible(codec, bits, 1, 22050, data) })
            {
                var clip = WavFile.Read(_folder.Bytes("a.wav", file));

                Assert.That(clip.SampleRate, Is.EqualTo(22050));
                Close.Assert(clip.Samples, want, 6e-8, $"codec {codec}, {bits} bits");
            }
        }
    }

    [Test]
    public void Unknown_chunks_and_their_padding_are_skipped()
    {
        byte[] odd = WavBytes.Chunk("LIST", [1, 2, 3]);
        var path = _folder.Bytes("a.wav", WavBytes.Make(1, 16, 1, 16000, WavBytes.Pcm16(5, 6, 7), before: odd, after: odd));

        Assert.That(WavFile.ReadInt16(path, ChannelPolicy.RequireMono, out int rate), Is.EqualTo(new short[] { 5, 6, 7 }));
        Assert.That(rate, Is.EqualTo(16000));
    }

    [TestCase(0u)]
    [TestCase(0xFFFFFFFFu)]
    [TestCase(0x7FFFF000u)]
    public void Length_left_open_by_a_streaming_writer_is_taken_from_the_file(uint size)
    {
        // The last byte is half a sample and does not count.
        var path = _folder.Bytes("a.wav", WavBytes.Make(1, 16, 1, 8000, [.. WavBytes.Pcm16(1, 2, 3), 9], dataSize: size));

        var info = WavFile.ReadInfo(path);
        Assert.That((info.Frames, info.IsTruncated), Is.EqualTo((3L, false)));
        Assert.That(WavFile.ReadInt16(path, ChannelPolicy.RequireMono, out _), Is.EqualTo(new short[] { 1, 2, 3 }));
    }

    [Test]
    public void Rf64_takes_its_length_from_ds64()
    {
        var path = _folder.Bytes("a.wav", WavBytes.MakeRf64(WavBytes.Pcm16(1, 2, 3), WavBytes.Chunk("LIST", [1, 2, 3, 4])));

        Assert.That(WavFile.ReadInt16(path, ChannelPolicy.RequireMono, out _), Is.EqualTo(new short[] { 1, 2, 3 }));
    }

    [Test]
    public void Channel_policy_is_obeyed()
    {
        var path = _folder.Bytes("stereo.wav", WavBytes.Make(1, 16, 2, 16000, WavBytes.Pcm16(100, 300, -200, 0)));

        Assert.That(WavFile.ReadInfo(path), Is.EqualTo(new AudioInfo(16000, 2, SampleFormat.Pcm16, 2, 2)));
        Assert.That(WavFile.ReadInt16(path, ChannelPolicy.First, out _), Is.EqualTo(new short[] { 100, -200 }));
        Assert.That(WavFile.ReadInt16(path, ChannelPolicy.Mean, out _), Is.EqualTo(new short[] { 200, -100 }));
        Refuses(path, "2 channels", "first", "mean");
    }

    [Test]
    public void Written_samples_come_back_unchanged()
    {
        short[] samples = [short.MinValue, -1, 0, 1, 12345, short.MaxValue];
        string path = _folder.At("a.wav");
        WavFile.Write(path, samples, 16000);
        Assert.That(WavFile.ReadInt16(path, ChannelPolicy.RequireMono, out _), Is.EqualTo(samples));

        byte[] before = File.ReadAllBytes(path);
        WavFile.Write(path, WavFile.Read(path).Samples, 16000);
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(before), "16 bits → f32 → 16 bits");

        WavFile.Write(path, [2f, -2f, 0.25f], 8000);
        Assert.That(WavFile.ReadInt16(path, ChannelPolicy.RequireMono, out int rate), Is.EqualTo(new short[] { 32767, -32768, 8192 }));
        Assert.That(rate, Is.EqualTo(8000));
    }

    [Test]
    public void Writing_a_nan_is_refused_and_leaves_the_file_alone()
    {
        string path = _folder.At("a.wav");
        WavFile.Write(path, [0.5f], 16000);
        Assert.Throws<NonFiniteException>(() => WavFile.Write(path, [0f, float.NaN], 16000));
        Assert.That(WavFile.Read(path).Samples, Is.EqualTo(new[] { 0.5f }));
    }

    [Test]
    public void Truncated_file_says_how_many_frames_are_there()
    {
        var path = _folder.Bytes("cut.wav", WavBytes.Make(1, 16, 1, 16000, WavBytes.Pcm16(1, 2, 3), dataSize: 2000));

        Assert.That(WavFile.ReadInfo(path).IsTruncated);
        Refuses(path, "cut.wav", "1000", "3 are there");
    }

    [Test]
    public void Files_that_are_no_wav_are_named_for_what_they_are()
    {
        Refuses(_folder.Bytes("empty.wav", []), "empty", "0 bytes");
        Refuses(_folder.Text("text.wav", "hello, this is not audio"), "not a WAV file", "hello, this", "ffmpeg -i");
        Refuses(_folder.Text("b.flac", "fLaC0000000000000"), "is FLAC, not WAV", $"ffmpeg -i {_folder.At("b.flac")} -ar 16000 -ac 1 {_folder.At("b.wav")}");
        Refuses(_folder.Text("c.ogg", "OggS0000000000000"), "is Ogg, not WAV", "ffmpeg -i");
        Refuses(_folder.Text("d.mp3", "ID3000000000000000"), "is MP3, not WAV", "ffmpeg -i");
        Refuses(_folder.Text("e.m4a", "0000ftypM4A 000000"), "is MPEG-4 audio, not WAV", "ffmpeg -i");
        Refuses(_folder.Text("it's.flac", "fLaC0000000000000"), "'\\''");
        Refuses(_folder.At("absent.wav"), "does not exist");
        Refuses(_folder.Bytes("short.wav", [.. "RIFF"u8]), "not a WAV file");
        Refuses(_folder.Bytes("header.wav", WavBytes.Make(1, 16, 1, 16000, [])[..36]), "no 'data' chunk", "truncated");
        Refuses(_folder.Bytes("fmt.wav", WavBytes.Make(1, 16, 1, 16000, [])[..28]), "'fmt ' chunk", "truncated");
        Refuses(_folder.Bytes("none.wav", WavBytes.Make(1, 16, 1, 16000, [])), "no samples");
        Refuses(_folder.Bytes("order.wav", [.. "RIFF0000WAVEdata"u8, 2, 0, 0, 0, 0, 0]), "before its 'fmt ' chunk");
    }

    [TestCase(2, 4, "Microsoft ADPCM")]
    [TestCase(6, 8, "A-law")]
    [TestCase(7, 8, "mu-law")]
    [TestCase(0x11, 4, "IMA ADPCM")]
    [TestCase(0x55, 0, "MP3")]
    [TestCase(0x1234, 16, "codec 0x1234")]
    [TestCase(1, 12, "PCM with 12 bits")]
    [TestCase(3, 16, "float with 16 bits")]
    public void Unsupported_codec_is_named(int codec, int bits, string name) =>
        Refuses(_folder.Bytes("a.wav", WavBytes.Make(codec, bits, 1, 16000, [1, 2, 3, 4])), name, "ffmpeg -i", "-16k.wav");

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    [TestCase(float.NegativeInfinity)]
    public void Non_finite_sample_is_refused_with_its_place(float value) =>
        Refuses(_folder.Bytes("a.wav", WavBytes.Make(3, 32, 1, 16000, WavBytes.Float32(0, 0.5f, value))), "frame 2");

    [Test]
    public void Impossible_header_is_refused()
    {
        Refuses(_folder.Bytes("a.wav", WavBytes.Make(1, 16, 0, 16000, [1, 2])), "0 channels");
        Refuses(_folder.Bytes("b.wav", WavBytes.Make(1, 16, 1, 0, [1, 2])), "0 Hz");
    }

    private static void Refuses(string path, params string[] parts)
    {
        string message = Assert.Throws<DataFormatException>(() => WavFile.Read(path))!.Message;
        foreach (string part in parts)
        {
            Assert.That(message, Does.Contain(part));
        }

        Assert.That(message, Does.Contain(Path.GetFileName(path)));
    }
}
