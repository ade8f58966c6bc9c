using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Checkpoints;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Recipes;

namespace Spk.Training;

/// <summary>
/// Trains the encoder of a recipe into a run folder. Whatever happens (cancellation, a killed process, a full disk), a run
/// continues from its last checkpoint with the same bits it would have had without the interruption, on the same kind of device.
/// </summary>
/// <remarks>
/// One trainer uses one device from one thread; nothing runs after <see cref="Run"/> has returned. Where processes train together
/// (<see cref="Device.Collective"/>), each has a trainer of the same recipe and folder, and only that of rank 0 evaluates, writes and reports.
/// </remarks>
public sealed class Trainer : IDisposable
{
    // Comes after every reason to end.
    private const long GoOn = long.MaxValue;

    private readonly RunFolder _folder;
    private readonly Device _device;
    private readonly TrainingPipeline _pipeline;
    private readonly CheckpointStore _store;
    private readonly string _deviceKind, _corpus;
    private long _step;
    private int _closedEpochs;
    private EarlyStop _earlyStop = EarlyStop.Start;
    private long _savedStep = -1;
    private string? _restoredFrom;

    private Trainer(Recipe recipe, RunFolder folder, Device device, IProgress<DataProgress>? loading, CancellationToken cancellation)
    {
        _folder = folder;
        _device = device;
        _deviceKind = device is CpuDevice ? "cpu" : "cuda";
        _pipeline = new TrainingPipeline(recipe, device, loading, cancellation);
        _corpus = CheckpointState.Fingerprint(_pipeline.Corpus, _pipeline.Groups, recipe.Data.Labels.File is null ? null : _pipeline.Labels);
        _store = new CheckpointStore(folder, _pipeline.Objective, _pipeline.Optimizer, recipe.Features.Spec, recipe.ResolvedEncoder);
    }

    /// <summary>Steps done.</summary>
    public long Step => _step;

    /// <summary>Steps of all epochs.</summary>
    public long StepsInAll => _pipeline.StepsInAll;

    /// <summary>The encoder as it stands, for embedding between runs.</summary>
    public SpeakerModel Model => _pipeline.Model;

    /// <summary>Measures where the time of every step goes; null, the default, measures nothing and is faster.</summary>
    public StepProfile? Profile
    {
        get => _pipeline.Profile;
        set => _pipeline.Profile = value;
    }

    internal TrainingPipeline Pipeline => _pipeline;

    /// <summary>Prepares a run: checks the folder, loads the corpus, builds the model and restores a checkpoint where there is one.</summary>
    /// <param name="recipe">What to train.</param>
    /// <param name="runFolder">Where everything is written; made if it is missing.</param>
    /// <param name="device">Where to train; stays the caller's.</param>
    /// <param name="resume">What to do with a run that is there already.</param>
    /// <param name="loading">Told about the loading of audio; may be null.</param>
    /// <param name="cancellation">Ends the loading early.</param>
    /// <returns>The trainer; dispose it.</returns>
    /// <exception cref="InvalidOptionException">
    /// The recipe does not fit the corpus, differs from the run's in a field that may not change, or cannot be trained by several processes.
    /// </exception>
    /// <exception cref="DataFormatException">Audio or the checkpoint cannot be used, or processes that train together found different ones.</exception>
    /// <exception cref="SpkException">The folder cannot be written.</exception>
    public static Trainer Open(
        Recipe recipe, string runFolder, Device device, ResumeMode resume = ResumeMode.Auto, IProgress<DataProgress>? loading = null, CancellationToken cancellation = default) =>
        Open(null, recipe, runFolder, device, resume, loading, cancellation);

    /// <summary>
    /// Prepares a run that builds on another: where its own folder holds no checkpoint, it begins with the parameters, the optimizer and the step of
    /// the other's last. The recipe may differ from the other's in everything that leaves the tensors their shapes.
    /// </summary>
    /// <param name="from">Folder of the other run; stays as it is.</param>
    /// <param name="recipe">What to train.</param>
    /// <param name="runFolder">Where everything is written; made if it is missing. A run that is there already is resumed.</param>
    /// <param name="device">Where to train; stays the caller's.</param>
    /// <param name="loading">Told about the loading of audio; may be null.</param>
    /// <param name="cancellation">Ends the loading early.</param>
    /// <returns>The trainer; dispose it.</returns>
    /// <exception cref="InvalidOptionException">The recipe does not fit the corpus, or gives an epoch another number of batches than the other run had.</exception>
    /// <exception cref="DataFormatException">Audio or a checkpoint cannot be used, or the other run was trained on another corpus.</exception>
    /// <exception cref="SpkException">The folder cannot be written.</exception>
    public static Trainer OpenFrom(
        string from, Recipe recipe, string runFolder, Device device, IProgress<DataProgress>? loading = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(from);
        return Open(new RunFolder(from), recipe, runFolder, device, ResumeMode.Auto, loading, cancellation);
    }

    private static Trainer Open(
        RunFolder? from, Recipe recipe, string runFolder, Device device, ResumeMode resume, IProgress<DataProgress>? loading, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(device);
        recipe.Validate();
        var folder = new RunFolder(runFolder);
        folder.Create();
        if (resume == ResumeMode.Required && !folder.HasCheckpoint)
        {
            throw new DataFormatException($"{runFolder} holds no checkpoint to resume from.");
        }

        var trainer = new Trainer(recipe, folder, device, loading, cancellation);
        try
        {
            bool resumes = resume != ResumeMode.Restart && folder.HasCheckpoint;
            RequireAgreement(device.Collective, resumes ? 1 : 0); // All have looked before rank 0 clears the folder.
            if (resumes)
            {
                trainer.Restore(folder, isOwn: true);
            }
            else
            {
                if (device.Collective.IsLead)
                {
                    folder.Clear();
                }

                if (from is not null)
                {
                    trainer.Restore(from, isOwn: false);
                }
                else if (recipe.FineTune.Model is { } model)
                {
                    FineTuning.Load(model, trainer._pipeline.Parameters);
                }
            }

            RequireAgreement(device.Collective, trainer.Fingerprint()); // All have read what rank 0 will write over.
            if (device.Collective.IsLead)
            {
                AtomicFile.WriteText(folder.Recipe, recipe.ToYaml());
            }

            return trainer;
        }
        catch
        {
            trainer.Dispose();
            throw;
        }
    }

    /// <summary>Trains to the end, to the step limit, to an early stop or until cancelled.</summary>
    /// <param name="progress">Told about every step; may be null.</param>
    /// <param name="cancellation">Ends training after the present step, with a checkpoint.</param>
    /// <returns>How it ended; processes other than rank 0 know the end and the steps only.</returns>
    /// <exception cref="NonFiniteException">A loss, gradient or parameter is not finite; the message names it. Checkpoints written before are kept.</exception>
    /// <exception cref="SpkException">A file could not be written; checkpoints written before are kept.</exception>
    public TrainingOutcome Run(ITrainingProgress? progress = null, CancellationToken cancellation = default)
    {
        if (!_device.Collective.IsLead)
        {
            return Follow(cancellation);
        }

        using var session = new TrainingSession(_pipeline, _folder, _step, progress, _device.Name);
        var recipe = _pipeline.Recipe;
        int batches = _pipeline.Batches.BatchesPerEpoch;
        long limit = Limit(recipe.Training.MaximumSteps, Limit((long)recipe.Training.StopAfterEpochs * batches, StepsInAll));
        if (_step == 0)
        {
            session.EvaluateUntrained();
            if (_pipeline.Groups is { LeftOut: > 0 } groups)
            {
                string rows = ObjectiveRules.Word(recipe.Data.Rows);
                session.Warn($"{groups.LeftOut} {rows} have fewer than data.views = {recipe.Data.Views} utterances and are left out; {groups.All.Count} are used.", 0, 0);
            }
        }

        if (_step == 0 && _pipeline.Labels?.Warning is { } leftOut)
        {
            session.Warn(leftOut, 0, 0);
        }

        if (_restoredFrom is { } kind && kind != _deviceKind)
        {
            session.Warn($"The run began on {kind} and goes on on {_deviceKind}: its numbers are not bit for bit those of a run on one device.", _step, _closedEpochs + 1);
            _restoredFrom = null;
        }

        while (true)
        {
            if (_step >= (_closedEpochs + 1L) * batches)
            {
                _closedEpochs++;
                var eer = session.CloseEpoch(_step, _closedEpochs, _earlyStop);
                _earlyStop = eer is { } value ? _earlyStop.Next(value, _step) : _earlyStop;
                Save(session, isBest: eer is not null && _earlyStop.BestStep == _step);
            }

            if (EndOfAll(End(limit, cancellation)) is { } end)
            {
                Save(session, isBest: false);
                return session.Finish(end, _step, _closedEpochs, _earlyStop);
            }

            session.Step(_step, cancellation);
            _step++;
            int every = recipe.Training.CheckpointEverySteps;
            if (every > 0 && _step % every == 0 && _step % batches != 0)
            {
                Save(session, isBest: false);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _pipeline.Dispose();

    // Makes the steps of rank 0, and leaves epochs, evaluation and files to it.
    private TrainingOutcome Follow(CancellationToken cancellation)
    {
        while (true)
        {
            if (EndOfAll(cancellation.IsCancellationRequested ? TrainingEnd.Cancelled : null) is { } end)
            {
                return new TrainingOutcome(end, _step, (int)(_step / _pipeline.Batches.BatchesPerEpoch), float.NaN, 0, null, 0);
            }

            _pipeline.Step(_step, cancellation);
            _step++;
        }
    }

    // All processes end ahead of the same step, whichever of them sees a reason.
    private TrainingEnd? EndOfAll(TrainingEnd? own)
    {
        long first = _device.Collective.Least(own is { } end ? (long)end : GoOn);
        return first == GoOn ? null : (TrainingEnd)first;
    }

    private static void RequireAgreement(Collective processes, long fingerprint)
    {
        if (!processes.Agrees(fingerprint))
        {
            throw new DataFormatException(
                $"The {processes.Ranks} processes see different recipes, corpora or checkpoints: give all of them the same options and folders.");
        }
    }

    // Of all that processes must have in common.
    private long Fingerprint()
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{_pipeline.Recipe.ToYaml()}\n{_corpus}\n{_step}"));
        return BinaryPrimitives.ReadInt64LittleEndian(hash);
    }

    private static long Limit(long wanted, long most) => wanted > 0 ? Math.Min(wanted, most) : most;

    private TrainingEnd? End(long limit, CancellationToken cancellation)
    {
        if (_earlyStop.IsOver(_pipeline.Recipe.Evaluation.Patience))
        {
            return TrainingEnd.EarlyStopped;
        }

        return _step >= StepsInAll ? TrainingEnd.Completed
            : _step >= limit ? TrainingEnd.StepLimit
            : cancellation.IsCancellationRequested ? TrainingEnd.Cancelled
            : null;
    }

    private void Save(TrainingSession session, bool isBest)
    {
        if (_savedStep == _step)
        {
            return;
        }

        // The log reaches the file first, so that it never lacks a step that the checkpoint has.
        session.Flush();
        _store.Save(
            new CheckpointState
            {
                Recipe = _pipeline.Recipe,
                Step = _step,
                ClosedEpochs = _closedEpochs,
                BatchesPerEpoch = _pipeline.Batches.BatchesPerEpoch,
                DeviceKind = _deviceKind,
                Corpus = _corpus,
                OptimizerSteps = _pipeline.Optimizer.StepCount,
                EarlyStop = _earlyStop,
            },
            isBest);
        _savedStep = _step;
        session.Saved(_folder.Latest);
    }

    private void Restore(RunFolder run, bool isOwn)
    {
        string path = File.Exists(run.Latest) || !File.Exists(run.Previous) ? run.Latest : run.Previous;
        using var file = SafetensorsFile.Open(path);
        var state = CheckpointState.ReadFrom(file);
        long epochsBegun = (state.Step + state.BatchesPerEpoch - 1) / state.BatchesPerEpoch;
        if (isOwn && RecipeRules.FirstForbiddenChange(state.Recipe, _pipeline.Recipe, epochsBegun) is var (saved, asked))
        {
            throw new InvalidOptionException(
                $"{path} was trained with {saved.Path} = {saved.Value}, the recipe says {asked.Value}: resume with the recipe of {run.Recipe}, or start anew in another folder.");
        }

        if (state.Corpus != _corpus)
        {
            throw new DataFormatException($"{path} was trained on another corpus ({state.Corpus}) than {_pipeline.Recipe.Data.Root} now holds ({_corpus}): resume with the same files.");
        }

        if (state.BatchesPerEpoch != _pipeline.Batches.BatchesPerEpoch)
        {
            throw new InvalidOptionException(
                $"{path} was trained with {state.BatchesPerEpoch} batches an epoch, the recipe gives {_pipeline.Batches.BatchesPerEpoch}: keep training.batch and what data is used.");
        }

        _store.Restore(file, state);
        _step = state.Step;
        _closedEpochs = state.ClosedEpochs;
        _restoredFrom = state.DeviceKind;
        if (isOwn)
        {
            _earlyStop = state.EarlyStop;
            _savedStep = path == run.Latest ? _step : -1;
        }
    }
}
