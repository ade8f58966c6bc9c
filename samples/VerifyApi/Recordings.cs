using Spk.Engine.Audio;
using Spk.Engine.Ops.Audio;
using Spk.Interop;

namespace VerifyApi;

/// <summary>Reads the recordings of a request: a WAV file as the body, or several as the files of a form.</summary>
internal static class Recordings
{
    /// <exception cref="DataFormatException">There is none, there are too many, one is too long or no WAV file.</exception>
    public static async Task<List<ReadOnlyMemory<float>>> Read(HttpRequest request, int sampleRate, int most, Limits limits, CancellationToken cancellation)
    {
        var recordings = new List<ReadOnlyMemory<float>>();
        if (request.HasFormContentType)
        {
            var form = await request.ReadFormAsync(cancellation);
            if (form.Files.Count > most)
            {
                throw new DataFormatException($"body: it holds {form.Files.Count} recordings; send up to {most}.");
            }

            foreach (var file in form.Files)
            {
                await using var stream = file.OpenReadStream();
                recordings.Add(Decode(stream, file.FileName));
            }
        }
        else
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, cancellation);
            if (body.Length > 0)
            {
                body.Position = 0;
                recordings.Add(Decode(body, "body"));
            }
        }

        return recordings.Count > 0 ? recordings : throw new DataFormatException("body: there is no recording; send a WAV file, or a form with WAV files.");

        ReadOnlyMemory<float> Decode(Stream stream, string name)
        {
            var clip = WavFile.Read(stream, name, ChannelPolicy.Mean);
            if (clip.Seconds > limits.Seconds)
            {
                throw new DataFormatException($"{name}: it lasts {clip.Seconds:F0} s; send up to {limits.Seconds} s.");
            }

            return clip.SampleRate == sampleRate ? clip.Samples : Resample.Run(clip.Samples, clip.SampleRate, sampleRate);
        }
    }
}
