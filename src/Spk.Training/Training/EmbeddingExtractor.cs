using Spk.Engine.Audio;
using Spk.Engine.Models;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training;

/// <summary>Embeds whole utterances, one after the other, each spread over the device's threads.</summary>
public static class EmbeddingExtractor
{
    private const float PcmScale = 1f / 32768f;

    /// <summary>Reads and embeds the files of a list.</summary>
    /// <param name="model">The model.</param>
    /// <param name="utterances">What to embed.</param>
    /// <param name="options">Channels and resampling; null for mono files of the model's rate. The rate is always the model's.</param>
    /// <param name="progress">Told about every 16 files; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>One embedding an utterance, by id.</returns>
    /// <exception cref="DataFormatException">A file cannot be used; the message names it.</exception>
    /// <exception cref="NonFiniteException">A file holds samples that are not finite; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static EmbeddingTable Run(
        SpeakerModel model, IReadOnlyList<Utterance> utterances, CorpusOptions? options = null, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(utterances);
        options ??= new CorpusOptions();
        return Run(model, [.. utterances.Select(u => u.Id)], i => Read(utterances[i], model.SampleRate, options), progress, cancellation);
    }

    /// <summary>Embeds utterances of a corpus in memory.</summary>
    /// <param name="model">The model.</param>
    /// <param name="corpus">A corpus of the model's sample rate.</param>
    /// <param name="indices">Which of its utterances.</param>
    /// <param name="progress">Told about every 16 utterances; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>One embedding an utterance, by id.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static EmbeddingTable Run(
        SpeakerModel model, Corpus corpus, IReadOnlyList<int> indices, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(indices);
        return Run(model, [.. indices.Select(i => corpus.Utterances[i].Id)], i => ToFloat(corpus.Utterance(indices[i])), progress, cancellation);
    }

    private static EmbeddingTable Run(
        SpeakerModel model, string[] ids, Func<int, float[]> read, IProgress<DataProgress>? progress, CancellationToken cancellation)
    {
        int size = model.EmbeddingSize;
        var values = new float[(long)ids.Length * size];
        for (int i = 0; i < ids.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                model.Embed(read(i), model.SampleRate, values.AsSpan(i * size, size));
            }
            catch (NonFiniteException e)
            {
                throw new NonFiniteException($"{ids[i]}: {e.Message}", e);
            }

            if ((i + 1) % 16 == 0 || i + 1 == ids.Length)
            {
                progress?.Report(new DataProgress(i + 1, ids.Length));
            }
        }

        return new EmbeddingTable(ids, values, size);
    }

    /// <summary>A recording at the rate of a model.</summary>
    internal static float[] Read(Utterance utterance, int sampleRate, CorpusOptions options)
    {
        var clip = WavFile.Read(utterance.Path, options.Channels);
        if (clip.SampleRate == sampleRate)
        {
            return clip.Samples;
        }

        return options.Resample
            ? Resample.Run(clip.Samples, clip.SampleRate, sampleRate)
            : throw new DataFormatException(
                $"{utterance.Path} has {clip.SampleRate} Hz, the model was trained at {sampleRate} Hz: resample the file, or ask for resampling.");
    }

    internal static float[] ToFloat(ReadOnlySpan<short> pcm)
    {
        var samples = new float[pcm.Length];
        for (int i = 0; i < pcm.Length; i++)
        {
            samples[i] = pcm[i] * PcmScale;
        }

        return samples;
    }
}
