using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>
/// Carries an experiment out in a folder: makes its corpora, trains its systems, judges its claims. All of it may be stopped and begun again:
/// what is finished is not repeated, and a training that was stopped goes on.
/// </summary>
public sealed class ExperimentSession
{
    private readonly ExperimentOptions _options;
    private readonly ExperimentPlan _plan;

    private ExperimentSession(Experiment experiment, ExperimentOptions options)
    {
        Experiment = experiment;
        _options = options;
        _plan = new ExperimentPlan(experiment, options);
    }

    /// <summary>What is carried out.</summary>
    public Experiment Experiment { get; }

    /// <summary>The seeds in use.</summary>
    public IReadOnlyList<ulong> Seeds => _plan.Seeds;

    /// <summary>The corpora in use.</summary>
    public IReadOnlyList<ExperimentCorpus> Corpora => _plan.Corpora;

    /// <summary>All runs, in the order in which they have to be made.</summary>
    public IReadOnlyList<SystemRun> Runs => _plan.Runs;

    internal ExperimentPlan Plan => _plan;

    internal ExperimentOptions Options => _options;

    /// <summary>Plans an experiment and compares the plan with what the folder holds already.</summary>
    /// <param name="experiment">What to carry out.</param>
    /// <param name="options">Where and how.</param>
    /// <returns>The session; nothing has been written yet.</returns>
    /// <exception cref="InvalidOptionException">An option or override does not fit, or the folder holds runs of another recipe.</exception>
    /// <exception cref="DataFormatException">The corpus at hand lacks its manifest or trial list.</exception>
    public static ExperimentSession Open(Experiment experiment, ExperimentOptions options)
    {
        ArgumentNullException.ThrowIfNull(experiment);
        ArgumentNullException.ThrowIfNull(options);
        var session = new ExperimentSession(experiment, options);
        foreach (var run in session.Runs)
        {
            if (run.Difference() is var (made, wanted))
            {
                throw new InvalidOptionException(
                    $"{run.Folder.Path} holds a run with {made.Path} = {made.Value}, asked for is {wanted.Value}: choose another --out, or delete that folder.");
            }

            if (run.Corpus.Voices is null && !File.Exists(RunTrials.Source(run)))
            {
                string list = run.EnrolmentUtterances > 0 ? "manifest" : "trial list";
                throw new DataFormatException($"The {list} {RunTrials.Source(run)} does not exist: --data names a folder with train.csv, eval.csv and trials.txt.");
            }
        }

        return session;
    }

    /// <summary>Makes the synthetic corpora that are not there yet.</summary>
    /// <param name="progress">Told about the files of each corpus; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <exception cref="SpkException">The folder cannot be written.</exception>
    public void MakeCorpora(IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        foreach (var corpus in Corpora)
        {
            if (Voices(corpus) is not { } voices)
            {
                continue;
            }

            // Written last, so that a corpus that was interrupted is made again.
            string root = _plan.Root(corpus), marker = Path.Combine(root, "voices.txt"), wanted = voices.Describe() + "\n";
            if (File.Exists(marker))
            {
                string made = File.ReadAllText(marker);
                if (made != wanted)
                {
                    throw new InvalidOptionException($"{root} holds other voices ({made.Trim()}) than asked for ({wanted.Trim()}): choose another --out.");
                }

                continue;
            }

            SyntheticVoices.Generate(root, voices, progress, cancellation);
            AtomicFile.WriteText(marker, wanted);
        }
    }

    /// <summary>Trains and measures a run, or goes on with it; does nothing where it is finished.</summary>
    /// <param name="run">One of <see cref="Runs"/>; what it builds on must be finished.</param>
    /// <param name="device">Where to train.</param>
    /// <param name="training">Told about every step; may be null.</param>
    /// <param name="embedding">Told about the utterances embedded; may be null.</param>
    /// <param name="cancellation">Stops after the present step, with a checkpoint.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="SpkException">Training or scoring failed; what was finished before is kept.</exception>
    public void Execute(
        SystemRun run, Device device, ITrainingProgress? training = null, IProgress<DataProgress>? embedding = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(device);
        if (!Runs.Contains(run))
        {
            throw new ArgumentException($"{run.Folder.Path} is no run of this session.", nameof(run));
        }

        if (run.IsFinished)
        {
            return;
        }

        if (run.Needs.FirstOrDefault(r => !r.IsFinished) is { } before)
        {
            throw new InvalidOperationException($"{run.Folder.Path} builds on {before.Folder.Path}, which is not finished.");
        }

        var figures = run.Aligns is null ? Train(run, device, training, embedding, cancellation) : AlignmentRun.Execute(run, device, embedding, cancellation);
        figures.Write(run.Figures);
    }

    /// <summary>The time that the runs after a given one may take, judged by those that are finished; null where nothing is known yet.</summary>
    /// <param name="current">The run that is being made.</param>
    public TimeSpan? RemainingAfter(SystemRun current)
    {
        ArgumentNullException.ThrowIfNull(current);
        var finished = Runs.Where(r => r.IsFinished).Select(r => (r.Corpus.Name, IsAlignment: r.Aligns is not null, RunFigures.Read(r.Figures).Seconds)).ToArray();
        if (finished.Length == 0)
        {
            return null;
        }

        double Expected(SystemRun run) =>
            finished.Where(f => f.Name == run.Corpus.Name && f.IsAlignment == run.Aligns is not null).Select(f => f.Seconds).DefaultIfEmpty(finished.Average(f => f.Seconds)).Average();
        return TimeSpan.FromSeconds(Runs.Where(r => r != current && !r.IsFinished).Sum(Expected));
    }

    /// <summary>Judges the claims by the runs that are finished.</summary>
    /// <returns>All figures.</returns>
    /// <exception cref="DataFormatException">The files of a run cannot be used.</exception>
    public Findings Judge() => FindingsMaker.Make(this);

    internal SyntheticVoicesSpec? Voices(ExperimentCorpus corpus) => _options.Quick ? corpus.QuickVoices ?? corpus.Voices : corpus.Voices;

    private RunFigures Train(SystemRun run, Device device, ITrainingProgress? training, IProgress<DataProgress>? embedding, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        LabelStage.Make(run, Runs, device, cancellation);
        using var trainer = run.From is null
            ? Trainer.Open(run.Recipe, run.Folder.Path, device, cancellation: cancellation)
            : Trainer.OpenFrom(run.From.Folder.Path, run.Recipe, run.Folder.Path, device, cancellation: cancellation);
        var outcome = trainer.Run(training, cancellation);
        cancellation.ThrowIfCancellationRequested();

        var trials = RunTrials.Open(run);
        var embeddings = trials.Embed(trainer.Model, embedding, cancellation);
        embeddings.Save(run.Embeddings);
        ScoreFile.Write(run.Folder.Scores, trials.Trials, TrialEvaluation.Score(trials.Trials, trials.Enrolments(embeddings), embeddings, cancellation: cancellation));
        var quantities = RunFigures.LastEpoch(run.Folder.Log);
        foreach (var (name, value) in EmbeddingClusters.Measure(embeddings, run.Recipe.Data.Root, run.Corpus.Voices?.ChannelStrength is not null))
        {
            quantities[name] = value;
        }

        foreach (var (name, value) in LabelStage.Measures(run))
        {
            quantities[name] = value;
        }

        return new RunFigures
        {
            Steps = outcome.Step,
            Seconds = watch.Elapsed.TotalSeconds,
            UtterancesPerSecond = outcome.UtterancesPerSecond,
            Device = device.Name,
            Quantities = quantities,
        };
    }
}
