using System.Diagnostics;
using System.Numerics.Tensors;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Ops.Optim;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Optimization;
using Spk.Training.Recipes;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Training;

/// <summary>
/// Everything that a recipe describes, built and connected: corpus → batches → features → encoder → objective → optimizer. A step
/// allocates nothing once its buffers have their size.
/// </summary>
internal sealed class TrainingPipeline : IDisposable
{
    private readonly Device _device;
    private readonly Tape _tape = new();
    private readonly FeatureExtractor _extractor;
    private readonly Objective _objective;
    private readonly LearningRateSchedule _learningRate;
    private readonly MarginSchedule _margin;
    private readonly CollapseGuard _collapse;
    private readonly ReplayedWork _forwardBackward;
    private readonly float[] _embeddingValues;
    private readonly int _embeddingSize;
    private readonly Augmenter? _augmenter;
    private Throughput _throughput;
    private Tensor? _features, _embeddings, _loss;
    private float _currentMargin;

    public TrainingPipeline(Recipe recipe, Device device, IProgress<DataProgress>? progress, CancellationToken cancellation)
    {
        Recipe = recipe;
        _device = device;
        device.Precision = recipe.Training.Precision;
        Corpus = RecipeCorpus.Load(recipe, progress, cancellation);
        try
        {
            Development = recipe.Data.DevSpeakers > 0
                ? DevelopmentSplit.Create(Corpus.Utterances, recipe.Data.DevSpeakers, recipe.Training.Seed, recipe.Evaluation.DevPairs)
                : null;
            _augmenter = RecipeCorpus.Augmenter(recipe, device, Corpus);
            Batches = RecipeCorpus.Batches(recipe, device, Corpus, _augmenter, Development?.Training);
            _extractor = new FeatureExtractor(device, recipe.Features.Spec);
            Parameters = new ParameterSet(device);
            var encoder = Encoder.Create(recipe.ResolvedEncoder, Parameters, ModelKeys.EncoderPrefix);
            RequireFrames(recipe, encoder);
            EncoderParameters = Parameters.TrainableCount;
            _embeddingSize = encoder.EmbeddingSize;
            _objective = Objective.Create(
                recipe.Objective, new ObjectiveContext(_embeddingSize, Corpus.Speakers.Count, recipe.Data.Views), Parameters);
            Parameters.Allocate(recipe.Training.Seed);
            Optimizer = Optimizer.Create(recipe.Optimizer, Parameters);
            StepsInAll = (long)recipe.Training.Epochs * Batches.BatchesPerEpoch;
            _learningRate = recipe.Schedule.Create(recipe.Training.Epochs, Batches.BatchesPerEpoch);
            _learningRate.Validate();
            _margin = new MarginSchedule
            {
                Margin = recipe.Objective.Margin,
                Rises = recipe.Objective.MarginCurve == MarginCurve.Cosine,
                Epochs = recipe.Training.Epochs,
            };
            Model = new SpeakerModel(_extractor, encoder, Parameters);
            int rows = recipe.Training.Batch * recipe.Data.Views;
            _embeddingValues = new float[rows * _embeddingSize];
            _forwardBackward = new ReplayedWork(device, ForwardBackward);
            _collapse = new CollapseGuard(rows, _embeddingSize);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Recipe Recipe { get; }

    public Corpus Corpus { get; }

    public DevelopmentSplit? Development { get; }

    public BatchSource Batches { get; }

    public ParameterSet Parameters { get; }

    public Optimizer Optimizer { get; }

    public SpeakerModel Model { get; }

    /// <summary>Trained scalars of the encoder alone.</summary>
    public long EncoderParameters { get; }

    /// <summary>Steps of all epochs.</summary>
    public long StepsInAll { get; }

    public ref readonly Throughput Throughput => ref _throughput;

    /// <summary>Trains on one batch.</summary>
    /// <param name="step">Steps done before.</param>
    public StepRecord Step(long step)
    {
        long start = Stopwatch.GetTimestamp();
        int batchesPerEpoch = Batches.BatchesPerEpoch;
        long epoch = step / batchesPerEpoch;
        _device.Workspace.Reset();
        var batch = Batches.Read(epoch, (int)(step % batchesPerEpoch));
        long dataReady = Stopwatch.GetTimestamp();

        // Noise and reverberation take more or less memory from step to step; what follows lies in the same place.
        _forwardBackward.Begin();
        _features = _extractor.Compute(batch.Waves, Recipe.Training.Seed, step);
        _objective.Prepare(batch);
        _currentMargin = (float)_margin.At((int)epoch);
        _forwardBackward.Run(BitConverter.SingleToInt32Bits(_currentMargin));
        if (step + 1 < StepsInAll)
        {
            // A GPU is at work by now: the next samples travel meanwhile.
            Batches.Prepare((step + 1) / batchesPerEpoch, (int)((step + 1) % batchesPerEpoch));
        }

        float loss = Scalar(_loss!);
        FiniteGuard.CheckLoss(
            loss, step + 1, Parameters, ("waves (after augmentation)", batch.Waves), ("features", _features), ("embeddings", _embeddings));
        double norm = GradientNorm.Compute(Parameters.Gradients);
        FiniteGuard.CheckGradients(norm, step + 1, Parameters);
        double rate = _learningRate.At(step);
        Optimizer.Step(rate);

        _embeddings!.CopyTo(_embeddingValues);
        long end = Stopwatch.GetTimestamp();
        _throughput.Add(start, dataReady, end);
        double seconds = Math.Max(1e-9, Stopwatch.GetElapsedTime(start, end).TotalSeconds);
        var statistics = _objective.Statistics;
        return new StepRecord(
            step + 1, (int)epoch + 1, loss, (float)rate, _currentMargin, statistics.PositiveCosine, statistics.NegativeCosine, statistics.HitRate, (float)norm,
            MeanLength(), (float)(Recipe.Training.Batch / seconds), (float)(Stopwatch.GetElapsedTime(start, dataReady).TotalSeconds / seconds));
    }

    /// <summary>How the embeddings of the last step are spread out.</summary>
    public EmbeddingSpread MeasureSpread() => _collapse.Measure(_embeddingValues);

    public void Dispose()
    {
        _augmenter?.Dispose();
        Corpus.Dispose();
    }

    // All of a step that is the same every time: on a GPU it is recorded once and replayed.
    private void ForwardBackward()
    {
        _tape.Clear();
        _embeddings = Model.Encoder.Forward(_tape, _features!, training: true);
        _loss = _objective.Loss(_tape, _embeddings, _currentMargin);
        Parameters.ZeroGradients();
        _tape.Backward(_loss);
    }

    private static float Scalar(Tensor tensor)
    {
        Span<float> value = stackalloc float[1];
        tensor.CopyTo(value);
        return value[0];
    }

    private static void RequireFrames(Recipe recipe, Encoder encoder)
    {
        int samples = recipe.Data.CropSamples(recipe.Features.Spec.SampleRate);
        int frames = recipe.Features.Spec.FrameCount(samples);
        if (frames < encoder.MinimumFrames)
        {
            throw new InvalidOptionException(
                $"data.cropSeconds = {FieldText.Of(recipe.Data.CropSeconds)} gives {frames} frames, the encoder needs {encoder.MinimumFrames}: use longer crops.");
        }
    }

    private float MeanLength()
    {
        double sum = 0;
        for (int start = 0; start < _embeddingValues.Length; start += _embeddingSize)
        {
            sum += TensorPrimitives.Norm<float>(_embeddingValues.AsSpan(start, _embeddingSize));
        }

        return (float)(sum * _embeddingSize / _embeddingValues.Length);
    }
}
