using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Tensors;

namespace Spk.Bench.Pipeline;

/// <summary>A model in an application: stored, loaded, and embedding recordings of three seconds, one at a time and eight together.</summary>
[MemoryDiagnoser]
public class ModelBench
{
    private const int Seconds = 3, Together = 8;

    private readonly string _folder = Directory.CreateTempSubdirectory("spk-bench-").FullName;
    private CpuDevice _device = null!;
    private SpeakerModel _model = null!;
    private float[] _wave = [], _embeddings = [];

    [Params("tdnn", "ecapa", "resnet", "gru")]
    public string Kind { get; set; } = "";

    private string ModelPath => Path.Combine(_folder, "model.safetensors");

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        var parameters = new ParameterSet(_device);
        var encoder = Encoder.Create(new EncoderSpec { Kind = Kind, Bins = 40 }, parameters, ModelKeys.EncoderPrefix);
        parameters.Allocate(1, gradients: false);
        _model = new SpeakerModel(new FeatureExtractor(_device, FeatureSpec.TorchaudioMel40), encoder, parameters);
        _wave = new float[Together * Seconds * _model.SampleRate];
        BenchDevice.Random(_device, new Shape(_wave.Length), 1).CopyTo(_wave);
        _embeddings = new float[Together * _model.EmbeddingSize];
        Save();
        if (!SpeakerModel.Load(ModelPath, _device).Embed(_wave, _model.SampleRate).AsSpan().SequenceEqual(_model.Embed(_wave, _model.SampleRate)))
        {
            throw new InvalidOperationException("The stored model is another one.");
        }
    }

    [Benchmark]
    public void Embed() => _model.Embed(_wave.AsSpan(0, Seconds * _model.SampleRate), _model.SampleRate, _embeddings.AsSpan(0, _model.EmbeddingSize));

    [Benchmark]
    public void EmbedEight() => _model.EmbedBatch(_wave, Together, _model.SampleRate, _embeddings);

    [Benchmark]
    public void Save() => _model.Save(ModelPath);

    // With a device of its own, which frees the parameters.
    [Benchmark]
    public int Load()
    {
        using var device = BenchDevice.Open();
        return SpeakerModel.Load(ModelPath, device).EmbeddingSize;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
