using System.Text.Json;
using Spk.Training.Evaluation;
using Spk.Training.Objectives;
using Spk.Training.Recipes;

namespace Spk.Training;

/// <summary>What surrounds the steps of one process: log, event files, evaluation, warnings and progress.</summary>
internal sealed class TrainingSession : IDisposable
{
    // Often enough to catch a collapse in minutes, rarely enough to cost nothing.
    private const int SpreadEverySteps = 50;

    // Confidence intervals cost more than they tell during training.
    private static readonly EvaluationOptions WithoutIntervals = new() { BootstrapDraws = 0 };

    private readonly TrainingPipeline _pipeline;
    private readonly ITrainingProgress? _progress;
    private readonly RunLog _log;
    private readonly RunCurves _curves;
    private readonly Lazy<TrialSet?> _trials;
    private EpochMeans _epoch;
    private readonly List<EpochFigure> _figures = [];
    private Collapse _warned;
    private bool _objectiveWarned;
    private long _steps;
    private float _lastLoss = float.NaN;

    public TrainingSession(TrainingPipeline pipeline, RunFolder folder, long step, ITrainingProgress? progress, string deviceName)
    {
        _pipeline = pipeline;
        _progress = progress;
        _log = RunLog.Open(folder.Log, step);
        _curves = new RunCurves(folder.TensorBoard);
        var recipe = pipeline.Recipe;
        _trials = new Lazy<TrialSet?>(() => recipe.Evaluation.EveryEpochs > 0 ? OpenTrials(recipe) : null);
        progress?.Started(new TrainingStart(
            pipeline.Members.Count,
            pipeline.Members.Select(pipeline.Corpus.SpeakerOf).Where(s => s >= 0).Distinct().Count(),
            pipeline.Parameters.TrainableCount,
            pipeline.Batches.BatchesPerEpoch,
            pipeline.StepsInAll,
            step,
            deviceName,
            folder.Path));

        // A missing trial list is better found before an hour of training than after.
        _ = _trials.Value;
    }

    /// <summary>Figures of the untrained network, to compare with.</summary>
    public void EvaluateUntrained()
    {
        EvaluateDevelopment(0, 0, EarlyStop.Start, counts: false);
        EvaluateTrials(0, 0);
    }

    /// <summary>Trains one step and reports it. Allocates nothing in steady state.</summary>
    /// <param name="done">Steps done before.</param>
    /// <param name="cancellation">Ends the clustering that an epoch may begin with.</param>
    public void Step(long done, CancellationToken cancellation = default)
    {
        var record = _pipeline.Step(done, cancellation);
        _steps++;
        _log.Write(record);
        _curves.AddStep(record);
        _epoch.Add(record);
        if (record.Step % SpreadEverySteps == 0)
        {
            Watch(_pipeline.MeasureSpread(), record.Statistics.NegativeCosine, record.Step, record.Epoch);
            if (_pipeline.Objective.Warning(record.Statistics) is { } warning && !_objectiveWarned)
            {
                _objectiveWarned = true;
                Warn(warning, record.Step, record.Epoch);
            }
        }

        if (_progress is not null)
        {
            var status = Status(record);
            _progress.Stepped(status);
        }
    }

    /// <summary>Logs the epoch's means and evaluates where the recipe asks for it.</summary>
    /// <returns>The development EER, or null where it was not measured.</returns>
    public double? CloseEpoch(long step, int epochs, EarlyStop earlyStop)
    {
        // A process that resumes exactly between an epoch's last step and its evaluation has no steps of it.
        if (_epoch.Steps > 0)
        {
            var spread = _pipeline.MeasureSpread();
            var means = _epoch;
            _figures.Clear();
            _pipeline.Objective.CloseEpoch(_figures);
            _log.Write("epoch", step, epochs, json =>
            {
                means.WriteTo(json, spread);
                WriteFigures(json);
            });
            _curves.AddEpoch(step, means, spread, _figures);
            if (_figures.Count > 0)
            {
                _progress?.Epoch(new TrainingEpoch(epochs, [.. _figures.Select(f => (f.Name, f.Value))]));
            }

            Watch(spread, means.NegativeCosine, step, epochs);
        }

        var recipe = _pipeline.Recipe;
        bool last = epochs == recipe.Training.Epochs;
        double? eer = last || epochs % recipe.Evaluation.DevEveryEpochs == 0 ? EvaluateDevelopment(step, epochs, earlyStop, counts: true) : null;
        if (recipe.Evaluation.EveryEpochs > 0 && (last || epochs % recipe.Evaluation.EveryEpochs == 0))
        {
            EvaluateTrials(step, epochs);
        }

        _lastLoss = _epoch.Steps > 0 ? _epoch.Loss : _lastLoss;
        _epoch = default;
        _warned = Collapse.None;
        _objectiveWarned = false;
        return eer;
    }

    /// <summary>Writes out what is buffered.</summary>
    public void Flush()
    {
        _log.Flush();
        _curves.Flush();
    }

    /// <summary>Tells that a checkpoint was written.</summary>
    public void Saved(string path) => _progress?.Saved(path);

    /// <summary>Sums the run up.</summary>
    public TrainingOutcome Finish(TrainingEnd end, long step, int closedEpochs, EarlyStop earlyStop)
    {
        Flush();
        double seconds = _pipeline.Throughput.MeanSecondsPerStep;
        return new TrainingOutcome(
            end, step, closedEpochs, _epoch.Steps > 0 ? _epoch.Loss : _lastLoss, _steps > 0 ? _pipeline.Recipe.Training.Batch / seconds : 0,
            double.IsFinite(earlyStop.Best) ? earlyStop.Best : null, earlyStop.BestStep);
    }

    public void Dispose()
    {
        _log.Dispose();
        _curves.Dispose();
    }

    private TrainingStatus Status(in StepRecord record)
    {
        double seconds = _pipeline.Throughput.SecondsPerStep;
        return new TrainingStatus(
            record.Step, _pipeline.StepsInAll, record.Epoch, _pipeline.Recipe.Training.Epochs, record.Loss, _epoch.Loss,
            _pipeline.Recipe.Training.Batch / seconds, _pipeline.Throughput.DataShare, _pipeline.Model.Device.HeldBytes,
            TimeSpan.FromSeconds((_pipeline.StepsInAll - record.Step) * seconds));
    }

    private double? EvaluateDevelopment(long step, int epochs, EarlyStop earlyStop, bool counts)
    {
        if (_pipeline.Development is not { } development)
        {
            return null;
        }

        var table = EmbeddingExtractor.Run(_pipeline.Model, _pipeline.Corpus, development.Development);
        return Report("development", TrialEvaluation.Run(development.Trials.Trials, table, WithoutIntervals), step, epochs, eer => counts && eer < earlyStop.Best);
    }

    private void EvaluateTrials(long step, int epochs)
    {
        if (_trials.Value is { } trials)
        {
            string name = Path.GetFileName(_pipeline.Recipe.Evaluation.Trials);
            Report(name, trials.Evaluate(_pipeline.Model, out _), step, epochs, _ => false);
        }
    }

    private static TrialSet OpenTrials(Recipe recipe) =>
        TrialSet.Open(Path.Combine(recipe.Data.Root, recipe.Evaluation.Trials), recipe.Data.Root, audio: recipe.CorpusOptions, options: WithoutIntervals);

    private double Report(string name, EvaluationResult result, long step, int epochs, Func<double, bool> isBest)
    {
        _log.Write("eval", step, epochs, json =>
        {
            json.WriteString("list", name);
            result.WriteJson(json);
        });
        _curves.AddEvaluation(step, name, result);
        var evaluation = new TrainingEvaluation(step, epochs, name, result.Eer, result.MinDcf01, isBest(result.Eer));
        _progress?.Evaluated(evaluation);
        return result.Eer;
    }

    private void WriteFigures(Utf8JsonWriter json)
    {
        foreach (var (name, value) in _figures)
        {
            if (double.IsFinite(value))
            {
                json.WriteNumber(name, value);
            }
        }
    }

    // Each kind once per epoch: a collapse lasts, and should not fill the log.
    private void Watch(EmbeddingSpread spread, float negativeCosine, long step, int epoch)
    {
        var collapse = CollapseGuard.Judge(spread, negativeCosine);
        if (collapse != Collapse.None && collapse != _warned)
        {
            _warned = collapse;
            Warn(CollapseGuard.Describe(collapse, spread, negativeCosine), step, epoch);
        }
    }

    // A method of its own: the closure below would otherwise be allocated by every call of Watch.
    /// <summary>Logs and reports that something is worth knowing.</summary>
    public void Warn(string message, long step, int epoch)
    {
        _log.Write("warning", step, epoch, json => json.WriteString("message", message));
        _progress?.Warned(message);
    }
}
