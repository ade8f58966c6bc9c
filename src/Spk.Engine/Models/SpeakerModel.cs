using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>
/// A speaker encoder ready for use: audio in, embedding out. It carries the definition of the features it was trained with,
/// so that serving cannot differ from training.
/// </summary>
/// <remarks>
/// Loads a run folder, a checkpoint or a model file. Not thread-safe: one model and one device per thread, or a lock. Its
/// weights live as long as the device. Many callers at once: <see cref="Verification.SpeakerVerifier"/>.
/// </remarks>
public sealed class SpeakerModel
{
    private readonly FeatureExtractor _extractor;
    private readonly ParameterSet _parameters;

    /// <summary>Wraps an encoder that is in memory already, such as one in training.</summary>
    /// <param name="extractor">Its features.</param>
    /// <param name="encoder">The encoder.</param>
    /// <param name="parameters">The allocated set its parameters belong to.</param>
    /// <exception cref="ShapeException">The encoder takes another number of bands than the features have.</exception>
    public SpeakerModel(FeatureExtractor extractor, Encoder encoder, ParameterSet parameters)
    {
        ArgumentNullException.ThrowIfNull(extractor);
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(parameters);
        if (encoder.Spec.Bins != extractor.Spec.Bins)
        {
            throw new ShapeException($"The encoder takes {encoder.Spec.Bins} mel bands, the features have {extractor.Spec.Bins}.");
        }

        _extractor = extractor;
        Encoder = encoder;
        _parameters = parameters;
    }

    /// <summary>Where the model runs.</summary>
    public Device Device => _extractor.Device;

    /// <summary>The features the encoder was trained with.</summary>
    public FeatureSpec Features => _extractor.Spec;

    /// <summary>The network.</summary>
    public Encoder Encoder { get; }

    internal ParameterSet Parameters => _parameters;

    /// <summary>Elements of an embedding.</summary>
    public int EmbeddingSize => Encoder.EmbeddingSize;

    /// <summary>Sample rate that audio must have, Hz.</summary>
    public int SampleRate => Features.SampleRate;

    /// <summary>Fewest samples the network can take; shorter audio is repeated up to it.</summary>
    public int MinimumSamples
    {
        get
        {
            int samples = Features.MinimumSamples;
            while (Features.FrameCount(samples) < Encoder.MinimumFrames)
            {
                samples += Features.FrameShift;
            }

            return samples;
        }
    }

    /// <summary>Finds the file that a run folder, a checkpoint or a model path stands for.</summary>
    /// <param name="path">A folder with checkpoints/latest.safetensors, or a file.</param>
    /// <returns>The file.</returns>
    /// <exception cref="DataFormatException">There is none.</exception>
    public static string Resolve(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
        {
            return path;
        }

        if (!Directory.Exists(path))
        {
            throw new DataFormatException($"{path} does not exist: give a run folder, a checkpoint or a model file.");
        }

        string[] candidates = ["checkpoints/latest.safetensors", "checkpoints/previous.safetensors", "latest.safetensors", "model.safetensors"];
        return candidates.Select(c => Path.Combine(path, c)).FirstOrDefault(File.Exists)
            ?? throw new DataFormatException($"{path} holds no checkpoints/latest.safetensors: it is no run folder, or its run has not reached its first checkpoint.");
    }

    /// <summary>Loads a model.</summary>
    /// <param name="path">Run folder, checkpoint or model file.</param>
    /// <param name="device">Where it will run.</param>
    /// <returns>The model.</returns>
    /// <exception cref="DataFormatException">The file is missing, damaged or no model; the message names the file and what is wrong.</exception>
    public static SpeakerModel Load(string path, Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        using var file = SafetensorsFile.Open(Resolve(path));
        var features = Read(file, ModelKeys.Features, FeatureSpec.FromJson);
        var spec = Read(file, ModelKeys.Encoder, EncoderSpec.FromJson);
        if (features.Bins != spec.Bins)
        {
            throw new DataFormatException($"{file.Path}: its features have {features.Bins} mel bands where its encoder takes {spec.Bins}; take it from a backup, or export it again from its run.");
        }

        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters, ModelKeys.EncoderPrefix);
        parameters.Allocate(0, gradients: false);
        ParameterTensors.Load(file, parameters, ModelKeys.EncoderPrefix, "the encoder that its metadata describes");
        return new SpeakerModel(new FeatureExtractor(device, features), encoder, parameters);
    }

    /// <summary>An encoder of the same shape with initial weights: what this model was before training, for comparison.</summary>
    /// <param name="seed">Seed of the initial weights, that of the run.</param>
    /// <returns>The untrained model.</returns>
    public SpeakerModel Untrained(ulong seed)
    {
        var parameters = new ParameterSet(Device);
        var encoder = Encoder.Create(Encoder.Spec, parameters);
        parameters.Allocate(seed, gradients: false);
        return new SpeakerModel(new FeatureExtractor(Device, Features), encoder, parameters);
    }

    /// <summary>Writes a model file: encoder weights, feature and encoder definitions, nothing else.</summary>
    /// <param name="path">The file, replaced atomically.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public void Save(string path)
    {
        var content = new SafetensorsContent();
        content.Metadata[ModelKeys.Format] = ModelKeys.ModelFormat;
        content.Metadata[ModelKeys.FormatVersion] = ModelKeys.CurrentVersion;
        content.Metadata[ModelKeys.Version] = ModelKeys.LibraryVersion;
        content.Metadata[ModelKeys.Features] = Features.ToJson();
        content.Metadata[ModelKeys.Encoder] = Encoder.Spec.ToJson();
        ParameterTensors.Add(content, _parameters, ModelKeys.EncoderPrefix);
        SafetensorsFile.Write(path, content);
    }

    /// <summary>
    /// What makes two models the same: equal weights, encoder and feature definition, wherever they are stored. Embeddings of models
    /// with different identities must not be compared.
    /// </summary>
    /// <returns>SHA-256, 64 hexadecimal digits, computed anew from the present weights.</returns>
    public string ComputeIdentity()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(Features.ToJson());
        Append(Encoder.Spec.ToJson());
        foreach (var parameter in _parameters.All.Where(p => p.Name.StartsWith(ModelKeys.EncoderPrefix, StringComparison.Ordinal)).OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            var values = new float[parameter.Shape.Count];
            parameter.ExportTo(values);
            Append(parameter.Name);
            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan()));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        // A terminator keeps neighbouring texts apart.
        void Append(string text) => hash.AppendData(System.Text.Encoding.UTF8.GetBytes(text + '\0'));
    }

    /// <summary>Embeds one utterance of any length.</summary>
    /// <param name="samples">Mono samples in ±1.</param>
    /// <param name="sampleRate">Their rate, Hz; must be <see cref="SampleRate"/>.</param>
    /// <returns>The embedding, not length-normalised.</returns>
    /// <exception cref="InvalidOptionException">The rate differs from the model's.</exception>
    /// <exception cref="DataFormatException">There are no samples.</exception>
    /// <exception cref="NonFiniteException">A sample is NaN or infinite.</exception>
    public float[] Embed(ReadOnlySpan<float> samples, int sampleRate)
    {
        var embedding = new float[EmbeddingSize];
        Embed(samples, sampleRate, embedding);
        return embedding;
    }

    /// <summary>Embeds one utterance of any length into given memory.</summary>
    /// <param name="samples">Mono samples in ±1.</param>
    /// <param name="sampleRate">Their rate, Hz; must be <see cref="SampleRate"/>.</param>
    /// <param name="embedding">Receives <see cref="EmbeddingSize"/> elements.</param>
    /// <inheritdoc cref="Embed(ReadOnlySpan{float}, int)" path="/exception"/>
    public void Embed(ReadOnlySpan<float> samples, int sampleRate, Span<float> embedding)
    {
        Check(samples, sampleRate);
        var workspace = Device.Workspace;
        workspace.Reset();
        int length = Math.Max(samples.Length, MinimumSamples);
        var waves = workspace.Rent(new Shape(1, length));
        if (length == samples.Length)
        {
            waves.CopyFrom(samples);
        }
        else
        {
            var tiled = new float[length];
            for (int start = 0; start < length; start += samples.Length)
            {
                samples[..Math.Min(samples.Length, length - start)].CopyTo(tiled.AsSpan(start));
            }

            waves.CopyFrom(tiled);
        }

        Run(waves, embedding);
    }

    /// <summary>Embeds a batch of utterances of one length, which is faster than one by one.</summary>
    /// <param name="samples">Row after row, <paramref name="count"/> utterances of equal length.</param>
    /// <param name="count">Number of utterances.</param>
    /// <param name="sampleRate">Their rate, Hz; must be <see cref="SampleRate"/>.</param>
    /// <param name="embeddings">Receives count · <see cref="EmbeddingSize"/> elements.</param>
    /// <exception cref="ShapeException">The samples do not divide into so many rows, or the rows are shorter than <see cref="MinimumSamples"/>.</exception>
    /// <inheritdoc cref="Embed(ReadOnlySpan{float}, int)" path="/exception"/>
    public void EmbedBatch(ReadOnlySpan<float> samples, int count, int sampleRate, Span<float> embeddings)
    {
        if (count < 1 || samples.Length % count != 0 || samples.Length / count < MinimumSamples)
        {
            throw new ShapeException($"{samples.Length} samples are not {count} utterances of {MinimumSamples} samples or more.");
        }

        Check(samples, sampleRate);
        Device.Workspace.Reset();
        var waves = Device.Workspace.Rent(new Shape(count, samples.Length / count));
        waves.CopyFrom(samples);
        Run(waves, embeddings);
    }

    private static T Read<T>(SafetensorsFile file, string key, Func<string, T> parse)
    {
        if (!file.Metadata.TryGetValue(key, out string? json))
        {
            throw new DataFormatException($"{file.Path} is no Spk model or checkpoint: its metadata lacks '{key}'; name a run folder, a checkpoint or a file of 'spk export' or 'spk import'.");
        }

        try
        {
            return parse(json);
        }
        catch (SpkException e)
        {
            throw new DataFormatException($"{file.Path}: its '{key}' cannot be used: {e.Message.TrimEnd('.')}; use the version of spk that wrote it, or export it again from its run.", e);
        }
    }

    private void Run(Tensor waves, Span<float> embeddings)
    {
        var output = Encoder.Forward(null, _extractor.Compute(waves), training: false);
        output.CopyTo(embeddings);
        Device.Workspace.Reset();
    }

    private void Check(ReadOnlySpan<float> samples, int sampleRate)
    {
        if (sampleRate != SampleRate)
        {
            throw new InvalidOptionException($"The audio has {sampleRate} Hz, the model was trained at {SampleRate} Hz: resample it first.");
        }

        if (samples.IsEmpty)
        {
            throw new DataFormatException("The utterance has no samples.");
        }

        for (int i = 0; i < samples.Length; i++)
        {
            if (!float.IsFinite(samples[i]))
            {
                throw new NonFiniteException($"Sample {i} of the utterance is {samples[i]}: only finite samples can be embedded.");
            }
        }
    }
}
