using System.Numerics;
using Spk.Engine.Audio;
using Spk.Engine.Models;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training;

/// <summary>Embeds augmented views of recordings: where nuisances live, in the audio, and not in the embeddings.</summary>
public static class ViewExtractor
{
    // Babble needs a few voices, not the whole corpus in memory.
    private const int BabbleVoices = 64;

    /// <summary>Reads, changes and embeds every recording once for each view.</summary>
    /// <param name="model">The model.</param>
    /// <param name="utterances">What to embed.</param>
    /// <param name="spec">The views.</param>
    /// <param name="options">Channels and resampling; null for mono files of the model's rate. The rate is always the model's.</param>
    /// <param name="progress">Told about every 16 embeddings; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>[views, utterances, embedding size], view after view; embeddings of unit length (of zeros where a view is silent).</returns>
    /// <exception cref="InvalidOptionException">The spec is out of range.</exception>
    /// <exception cref="DataFormatException">A file or folder cannot be used; the message names it.</exception>
    /// <exception cref="NonFiniteException">A file holds samples that are not finite; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static float[] Run(
        SpeakerModel model, IReadOnlyList<Utterance> utterances, ViewSpec spec, CorpusOptions? options = null, IProgress<DataProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(utterances);
        options = (options ?? new CorpusOptions()) with { SampleRate = model.SampleRate };
        return Run(model, utterances, i => EmbeddingExtractor.Read(utterances[i], model.SampleRate, options), spec, options, progress, cancellation);
    }

    /// <summary>The same for utterances of a corpus in memory.</summary>
    /// <param name="model">The model.</param>
    /// <param name="corpus">A corpus of the model's sample rate.</param>
    /// <param name="indices">Which of its utterances.</param>
    /// <param name="spec">The views.</param>
    /// <param name="options">How files of noise and rooms are read; null for mono files of the model's rate.</param>
    /// <param name="progress">Told about every 16 embeddings; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>[views, indices, embedding size], view after view; embeddings of unit length (of zeros where a view is silent).</returns>
    /// <exception cref="InvalidOptionException">The spec is out of range.</exception>
    /// <exception cref="DataFormatException">A file or folder cannot be used; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static float[] Run(
        SpeakerModel model, Corpus corpus, IReadOnlyList<int> indices, ViewSpec spec, CorpusOptions? options = null, IProgress<DataProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(indices);
        options = (options ?? new CorpusOptions()) with { SampleRate = model.SampleRate };
        Utterance[] utterances = [.. indices.Select(i => corpus.Utterances[i])];
        return Run(model, utterances, i => EmbeddingExtractor.ToFloat(corpus.Utterance(indices[i])), spec, options, progress, cancellation);
    }

    private static float[] Run(
        SpeakerModel model, IReadOnlyList<Utterance> utterances, Func<int, float[]> read, ViewSpec spec, CorpusOptions options, IProgress<DataProgress>? progress,
        CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(spec);
        spec.Validate();
        using var voices = Voices(utterances, read, spec, options);
        using var noise = new LengthAugmenters(model, voices, spec, options, NoiseKinds.Noise);
        using var talk = new LengthAugmenters(model, voices, spec, options, NoiseKinds.Speech | NoiseKinds.Music);
        using var rooms = new LengthAugmenters(model, voices, spec, options, NoiseKinds.None);
        LengthAugmenters[] turn = [noise, noise, talk, rooms];

        int size = model.EmbeddingSize, done = 0, total = spec.Views * utterances.Count;
        var values = new float[(long)total * size];
        for (int item = 0; item < utterances.Count; item++)
        {
            float[] samples = read(item);
            for (int view = 0; view < spec.Views; view++)
            {
                cancellation.ThrowIfCancellationRequested();
                var piece = Piece(samples, model.SampleRate, spec, view, item);
                var to = values.AsSpan(((view * utterances.Count) + item) * size, size);
                try
                {
                    model.Embed(turn[view % turn.Length].Change(piece, view, item), model.SampleRate, to);
                }
                catch (NonFiniteException e)
                {
                    throw new NonFiniteException($"{utterances[item].Id}: {e.Message}", e);
                }

                Normalize(to);
                if (++done % 16 == 0 || done == total)
                {
                    progress?.Report(new DataProgress(done, total));
                }
            }
        }

        return values;
    }

    private static Corpus Voices(IReadOnlyList<Utterance> utterances, Func<int, float[]> read, ViewSpec spec, CorpusOptions options)
    {
        if (spec.Noise is not null)
        {
            return Corpus.FromSamples([], [], options.SampleRate);
        }

        int count = Math.Min(BabbleVoices, utterances.Count);
        int[] some = [.. Enumerable.Range(0, count).Select(i => (int)((long)i * utterances.Count / count))];
        return Corpus.FromSamples([.. some.Select(i => utterances[i])], [.. some.Select(i =>
        {
            float[] samples = read(i);
            var pcm = new short[samples.Length];
            WavFile.Quantize(samples, pcm);
            return pcm;
        })], options.SampleRate);
    }

    private static ReadOnlySpan<float> Piece(float[] samples, int sampleRate, ViewSpec spec, int view, int item)
    {
        int longest = (int)Math.Min(int.MaxValue, Math.Max(1, spec.LongestSeconds * sampleRate));
        if (samples.Length <= longest)
        {
            return samples;
        }

        int start = new CounterRandom(spec.Seed, RandomPurpose.Crop, view, item).NextInt(samples.Length - longest + 1);
        return samples.AsSpan(start, longest);
    }

    private static void Normalize(Span<float> embedding)
    {
        float length = System.Numerics.Tensors.TensorPrimitives.Norm<float>(embedding);
        if (length > 0)
        {
            System.Numerics.Tensors.TensorPrimitives.Divide(embedding, length, embedding);
        }
    }

    // One kind of change for recordings of all lengths. Rooms are transformed once for a length: lengths are rounded up to a quarter of an octave,
    // and a longer copy is cut back, which changes nothing in what comes before.
    private sealed class LengthAugmenters : IDisposable
    {
        private readonly SpeakerModel _model;
        private readonly Augmenter _first;
        private readonly Dictionary<int, Augmenter> _augmenters = [];
        private float[] _samples = [];

        public LengthAugmenters(SpeakerModel model, Corpus voices, ViewSpec spec, CorpusOptions options, NoiseKinds kinds)
        {
            _model = model;
            var changes = new AugmentationSpec
            {
                NoiseProbability = kinds == NoiseKinds.None ? 0 : 1,
                ReverbProbability = kinds == NoiseKinds.None ? 1 : 0,
                Noise = spec.Noise,
                Rir = spec.Rir,
                SnrMinimumDb = spec.SnrMinimumDb,
                SnrMaximumDb = spec.SnrMaximumDb,
                SpeechSnrMinimumDb = spec.SnrMinimumDb,
                SpeechSnrMaximumDb = spec.SnrMaximumDb,
                MusicSnrMinimumDb = spec.SnrMinimumDb,
                MusicSnrMaximumDb = spec.SnrMaximumDb,
                NoiseKinds = kinds,
            };
            _first = new Augmenter(model.Device, changes, voices, 1, spec.Seed, options: options);
        }

        public ReadOnlySpan<float> Change(ReadOnlySpan<float> samples, int view, int item)
        {
            int step = Math.Max(1, 1 << Math.Max(0, BitOperations.Log2((uint)Math.Max(1, samples.Length)) - 2));
            int length = (Math.Max(1, samples.Length) + step - 1) / step * step;
            if (_samples.Length < length)
            {
                _samples = new float[length];
            }

            // The level of noise is that of the whole row: the recording goes on in place of silence.
            var row = _samples.AsSpan(0, length);
            for (int at = 0; at < length && samples.Length > 0; at += samples.Length)
            {
                samples[..Math.Min(samples.Length, length - at)].CopyTo(row[at..]);
            }

            var workspace = _model.Device.Workspace;
            workspace.Reset();
            var waves = workspace.Rent(new Shape(1, length));
            waves.CopyFrom(row);
            For(length).Apply(waves, view, [item]);
            waves.CopyTo(row);
            return row[..samples.Length];
        }

        public void Dispose()
        {
            foreach (var augmenter in _augmenters.Values)
            {
                augmenter.Dispose();
            }

            _first.Dispose();
        }

        private Augmenter For(int length)
        {
            if (!_augmenters.TryGetValue(length, out var augmenter))
            {
                augmenter = _first.ForLength(length);
                _augmenters.Add(length, augmenter);
            }

            return augmenter;
        }
    }
}
