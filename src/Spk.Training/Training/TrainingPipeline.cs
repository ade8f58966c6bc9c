using System.Diagnostics;
using System.Numerics.Tensors;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Optimization;
using Spk.Training.Positives;
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
    private readonly LearningRateSchedule _learningRate;
    private readonly MarginSchedule _margin;
    private readonly CollapseGuard _collapse;
    private readonly ReplayedWork _forwardBackward;
    private readonly float[] _embeddingValues;
    private readonly int _embeddingSize;
    private readonly Augmenter? _augmenter;
    private Throughput _throughput;
    private StepFeatures _features;
    private Tensor? _loss;

    public TrainingPipeline(Recipe recipe, Device device, IProgress<DataProgress>? progress, CancellationToken cancellation)
    {
        Recipe = recipe;
        _device = device;
        ProcessRules.Check(recipe, device.Collective.Ranks);
        device.Precision = recipe.Training.Precision;
        Corpus = RecipeCorpus.Load(recipe, progress, cancellation);
        try
        {
            Development = RecipeCorpus.Development(recipe, Corpus);
            _augmenter = RecipeCorpus.Augmenter(recipe, device, Corpus);
            int[] members = RecipeCorpus.Members(recipe, Corpus, Development);
            Labels = RecipeCorpus.Labels(recipe, Corpus, members);
            Members = Labels is null ? members : [.. members.Where(m => Labels.Of(m) >= 0)];
            Groups = RecipeCorpus.Groups(recipe, Corpus, Members);
            Batches = RecipeCorpus.Batches(recipe, device, Corpus, _augmenter, Members, Groups);
            _extractor = new FeatureExtractor(device, recipe.Features.Spec);
            Objective = Objective.Create(recipe.Objective, recipe.Ssps, new ObjectiveContext
            {
                Device = device,
                Encoder = recipe.ResolvedEncoder,
                Corpus = Corpus,
                Utterances = Members,
                Labels = Labels,
                Groups = Groups,
                Batch = recipe.Training.Batch,
                Views = recipe.Data.Views,
                LocalViews = recipe.Data.LocalViews,
                BatchesPerEpoch = Batches.BatchesPerEpoch,
                Epochs = recipe.Training.Epochs,
                Seed = recipe.Training.Seed,
            });
            RequireFrames(recipe, Objective.Trained);
            Objective.Allocate(recipe.Training.Seed);
            _embeddingSize = Objective.Trained.EmbeddingSize;
            Optimizer = Optimizer.Create(recipe.Optimizer, Parameters, FineTuning.Freeze(recipe.FineTune, Parameters));
            StepsInAll = (long)recipe.Training.Epochs * Batches.BatchesPerEpoch;
            _learningRate = recipe.Schedule.Create(recipe.Training.Epochs, Batches.BatchesPerEpoch);
            _learningRate.Validate();
            _margin = new MarginSchedule
            {
                Margin = recipe.Objective.Margin,
                Rises = recipe.Objective.MarginCurve == MarginCurve.Cosine,
                Epochs = recipe.Training.Epochs,
            };
            Model = new SpeakerModel(_extractor, Objective.Encoder, Objective.EncoderParameters);
            int rows = recipe.Training.Batch * recipe.Data.Views / device.Collective.Ranks;
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

    /// <summary>Indices of the utterances to train on.</summary>
    public IReadOnlyList<int> Members { get; }

    /// <summary>Classes of the utterances where a classifier is trained; else null.</summary>
    public ClassLabels? Labels { get; }

    /// <summary>Rows of the batches that are no utterances; else null.</summary>
    public UtteranceGroups? Groups { get; }

    public BatchSource Batches { get; }

    public Objective Objective { get; }

    public ParameterSet Parameters => Objective.Parameters;

    public Optimizer Optimizer { get; }

    public SpeakerModel Model { get; }

    /// <summary>Measures the stages of every step; null measures nothing.</summary>
    public StepProfile? Profile
    {
        get => Batches.Profile;
        set => Batches.Profile = value;
    }

    /// <summary>Steps of all epochs.</summary>
    public long StepsInAll { get; }

    public ref readonly Throughput Throughput => ref _throughput;

    /// <summary>Trains on one batch.</summary>
    /// <param name="step">Steps done before.</param>
    /// <param name="cancellation">Ends the clustering that an epoch may begin with.</param>
    public StepRecord Step(long step, CancellationToken cancellation = default)
    {
        int batchesPerEpoch = Batches.BatchesPerEpoch, index = (int)(step % batchesPerEpoch);
        long epoch = step / batchesPerEpoch;
        Profile?.Start();
        if (index == 0)
        {
            Objective.BeginEpoch(epoch, cancellation);
            Profile?.End(StepStage.Clustering, _device);
        }

        long start = Stopwatch.GetTimestamp();
        _device.Workspace.Reset();
        var batch = Batches.Read(epoch, index, Objective.NeedsReferences(epoch));
        long dataReady = Stopwatch.GetTimestamp();

        // Noise and reverberation take more or less memory from step to step; what follows lies in the same place.
        _forwardBackward.Begin();
        var place = new StepPlace(step, epoch, (float)_margin.At((int)epoch));
        _features = new StepFeatures(
            _extractor.Compute(Objective.Input(batch, place), Recipe.Training.Seed, step),
            batch.LocalWaves is { } local ? _extractor.Compute(local, Recipe.Training.Seed, step) : null,
            batch.ReferenceWaves is { } clean ? _extractor.Compute(clean) : null);
        Profile?.End(StepStage.Features, _device);
        Objective.Prepare(batch, place);
        Profile?.End(StepStage.Preparation, _device);
        if (Profile is null)
        {
            _forwardBackward.Run(Objective.ReplayKey);
        }
        else
        {
            ForwardBackward();
            Profile.End(StepStage.Backward, _device);
        }

        if (step + 1 < StepsInAll)
        {
            // A GPU is at work by now: the next samples travel meanwhile.
            long next = (step + 1) / batchesPerEpoch;
            Batches.Prepare(next, (int)((step + 1) % batchesPerEpoch), Objective.NeedsReferences(next));
        }

        float loss = Scalar(_loss!);
        FiniteGuard.CheckLoss(
            loss, step + 1, Parameters, ("waves (after augmentation)", batch.Waves), ("features", _features.Views), ("embeddings", Objective.Embeddings));
        _device.Collective.Average(Parameters.Gradients);
        double norm = Optimizer.NormOfGradients();
        FiniteGuard.CheckGradients(norm, step + 1, Parameters);
        double rate = _learningRate.At(step);
        Optimizer.Step(rate, norm, Objective.MomentumAverage);
        Profile?.End(StepStage.Optimizer, _device);
        Objective.Update();
        Profile?.End(StepStage.Update, _device);
        Objective.Embeddings.CopyTo(_embeddingValues);
        long end = Stopwatch.GetTimestamp();
        _throughput.Add(start, dataReady, end);
        double seconds = Math.Max(1e-9, Stopwatch.GetElapsedTime(start, end).TotalSeconds);
        var statistics = Objective.Statistics;
        Profile?.End(StepStage.Readback, _device);
        Profile?.EndStep();
        return new StepRecord(
            step + 1, (int)epoch + 1, loss, (float)rate, place.Margin, statistics, (float)norm, MeanLength(),
            (float)(Recipe.Training.Batch / seconds), (float)(Stopwatch.GetElapsedTime(start, dataReady).TotalSeconds / seconds));
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
        _loss = Objective.Loss(_tape, _features);
        Profile?.End(StepStage.Forward, _device);
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
        Require("data.cropSeconds", recipe.Data.CropSeconds);
        if (recipe.Data.LocalViews > 0)
        {
            Require("data.localSeconds", recipe.Data.LocalSeconds);
        }

        if (recipe.Ssps.Source != PositiveSource.SameUtterance)
        {
            Require("ssps.referenceSeconds", recipe.Ssps.ReferenceSeconds);
        }

        void Require(string field, float seconds)
        {
            var features = recipe.Features.Spec;
            int frames = features.FrameCount(DataSection.Samples(seconds, features.SampleRate));
            if (frames < encoder.MinimumFrames)
            {
                throw new InvalidOptionException(
                    $"{field} = {FieldText.Of(seconds)} gives {frames} frames, the encoder needs {encoder.MinimumFrames}: use longer crops.");
            }
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
