using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Recipes;

namespace Spk.Training.PseudoLabelling;

/// <summary>
/// Rounds of pseudo-label training in a folder: embed the training utterances with the model so far, cluster, train on the clusters, and again. Each
/// round is a run folder, <c>round-1</c> and so on, with its <c>labels.csv</c>. All of it may be stopped and begun again: what is there is not
/// repeated, and a training that was stopped goes on with the same bits.
/// </summary>
public sealed class PseudoLabelRounds
{
    // Confidence intervals belong to `spk eval`.
    private static readonly EvaluationOptions WithoutIntervals = new() { BootstrapDraws = 0 };

    private readonly string _folder;

    private PseudoLabelRounds(Recipe recipe, string folder) => (Recipe, _folder) = (recipe, folder);

    /// <summary>What every round trains, but for its labels.</summary>
    public Recipe Recipe { get; }

    /// <summary>Rounds in all.</summary>
    public int Count => Recipe.Rounds.Count;

    private string RecipePath => Path.Combine(_folder, "recipe.yaml");

    /// <summary>Prepares rounds: checks the recipe, the first model and what the folder holds.</summary>
    /// <param name="recipe">A recipe with <c>rounds</c>.</param>
    /// <param name="folder">Where everything is written.</param>
    /// <param name="resume">What to do with rounds that are there already.</param>
    /// <exception cref="InvalidOptionException">The recipe has no rounds or no model to begin with, or differs from that of the rounds in the folder.</exception>
    /// <exception cref="DataFormatException">The model is missing.</exception>
    /// <exception cref="SpkException">The folder cannot be written.</exception>
    public static PseudoLabelRounds Open(Recipe recipe, string folder, ResumeMode resume = ResumeMode.Auto)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        recipe.Validate();
        if (recipe.Rounds is not { Count: > 0, Model: { } model })
        {
            throw new InvalidOptionException(
                $"rounds.count = {recipe.Rounds.Count}, rounds.model = {recipe.Rounds.Model ?? "null"}: rounds need one or more, and a model whose embeddings give the first labels.");
        }

        SpeakerModel.Resolve(model);
        var rounds = new PseudoLabelRounds(recipe, folder);
        new RunFolder(folder).Create();
        if (resume == ResumeMode.Restart)
        {
            rounds.Clear();
        }
        else if (File.Exists(rounds.RecipePath) && RecipeRules.FirstForbiddenChange(Recipes.Recipe.Load(rounds.RecipePath), recipe, long.MaxValue) is var (saved, asked))
        {
            throw new InvalidOptionException(
                $"{folder} holds rounds with {saved.Path} = {saved.Value}, the recipe says {asked.Value}: go on with the recipe of {rounds.RecipePath}, or start anew in another folder.");
        }
        else if (resume == ResumeMode.Required && !File.Exists(rounds.RecipePath))
        {
            throw new DataFormatException($"{folder} holds no rounds to resume.");
        }

        AtomicFile.WriteText(rounds.RecipePath, recipe.ToYaml());
        return rounds;
    }

    /// <summary>Whether a folder holds rounds.</summary>
    /// <param name="folder">The folder.</param>
    public static bool AreIn(string folder) => Directory.Exists(new RunFolder(Path.Combine(folder, "round-1")).Path);

    /// <summary>The run folder of a round.</summary>
    /// <param name="round">1 to <see cref="Count"/>.</param>
    public RunFolder FolderOf(int round) => new(Path.Combine(_folder, FormattableString.Invariant($"round-{round}")));

    /// <summary>The labels of a round, as `spk cluster` writes them.</summary>
    /// <param name="round">1 to <see cref="Count"/>.</param>
    public string LabelsOf(int round) => Path.Combine(FolderOf(round).Path, "labels.csv");

    /// <summary>What a round has found so far; null before it has labels.</summary>
    /// <param name="round">1 to <see cref="Count"/>.</param>
    /// <exception cref="DataFormatException">Its file is damaged.</exception>
    public RoundResult? ResultOf(int round) => File.Exists(ResultPath(round)) && File.Exists(LabelsOf(round)) ? RoundResult.Read(ResultPath(round)) : null;

    /// <summary>The recipe of one round: labels from its file, and the encoder to start from.</summary>
    /// <param name="round">1 to <see cref="Count"/>.</param>
    public Recipe RecipeOf(int round) => Recipe with
    {
        Data = Recipe.Data with { Labels = Recipe.Data.Labels with { File = Path.GetFullPath(LabelsOf(round)) } },
        FineTune = Recipe.Rounds.Start == RoundStart.Previous ? Recipe.FineTune with { Model = ModelOf(round - 1) } : Recipe.FineTune,
    };

    /// <summary>Makes the labels of a round with the model before it; does nothing where they are there.</summary>
    /// <param name="round">1 to <see cref="Count"/>; the rounds before must be trained.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="progress">Told about the utterances embedded, and then about their views, if there are any; may be null.</param>
    /// <param name="cancellation">Ends it early; nothing is written then.</param>
    /// <returns>What is known of the round.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="SpkException">The corpus or the model cannot be used, or there are fewer utterances than clusters.</exception>
    public RoundResult Label(int round, Device device, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (ResultOf(round) is { } made)
        {
            return made;
        }

        var before = round > 1 ? ResultOf(round - 1) : null;
        if (round > 1 && before is not { IsTrained: true })
        {
            throw new InvalidOperationException($"Round {round} needs round {round - 1}, which is not finished.");
        }

        var model = SpeakerModel.Load(ModelOf(round - 1), device);
        using var corpus = RecipeCorpus.Load(Recipe, null, cancellation);
        if (model.SampleRate != corpus.SampleRate)
        {
            throw new InvalidOptionException($"features.sampleRate = {corpus.SampleRate}: {Recipe.Rounds.Model} was trained at {model.SampleRate} Hz; both must have the same rate.");
        }

        int[] members = RecipeCorpus.Members(Recipe, corpus, RecipeCorpus.Development(Recipe, corpus));
        var embeddings = EmbeddingExtractor.Run(model, corpus, members, progress, cancellation);
        ulong seed = Recipe.Training.Seed + (ulong)round;
        var spec = Recipe.Rounds.Clustering;
        float[] views = spec.ViewsToEmbed == 0 ? [] : ViewExtractor.Run(model, corpus, members, Views(spec.ViewsToEmbed, seed), Recipe.CorpusOptions, progress, cancellation);
        var labels = LabelMaker.Make(embeddings, spec, seed, id => corpus.Utterances[corpus.IndexOf(id)].Speaker, device, views, cancellation);
        var result = new RoundResult(round, embeddings.Count, labels.Measures, before?.Eer ?? Evaluate(model, null, cancellation));
        FolderOf(round).Create();
        result.Write(ResultPath(round));
        labels.Labels.Write(LabelsOf(round));
        return result;
    }

    /// <summary>Trains a round on its labels and scores the trial list, where there is one; goes on with what is there.</summary>
    /// <param name="round">1 to <see cref="Count"/>; must be labelled.</param>
    /// <param name="device">Where to train.</param>
    /// <param name="training">Told about every step; may be null.</param>
    /// <param name="cancellation">Stops after the present step, with a checkpoint.</param>
    /// <returns>The finished round.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; the same call goes on.</exception>
    /// <exception cref="SpkException">Training failed; checkpoints are kept.</exception>
    public RoundResult Train(int round, Device device, ITrainingProgress? training = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        var result = ResultOf(round) ?? throw new InvalidOperationException($"Round {round} has no labels yet.");
        if (result.IsTrained)
        {
            return result;
        }

        using var trainer = Trainer.Open(RecipeOf(round), FolderOf(round).Path, device, cancellation: cancellation);
        var outcome = trainer.Run(training, cancellation);
        cancellation.ThrowIfCancellationRequested();
        result = result with { IsTrained = true, Steps = outcome.Step, Eer = Evaluate(trainer.Model, FolderOf(round).Scores, cancellation) };
        result.Write(ResultPath(round));
        return result;
    }

    // With the noise and the rooms that training has.
    private ViewSpec Views(int count, ulong seed)
    {
        var changes = Recipe.Data.Augmentation;
        return new ViewSpec { Views = count, Noise = At(changes.Noise), Rir = At(changes.Rir), SnrMinimumDb = changes.SnrMinimumDb, SnrMaximumDb = changes.SnrMaximumDb, Seed = seed };

        string? At(string? folder) => folder is null ? null : Path.Combine(Recipe.Data.Root, folder);
    }

    private string ResultPath(int round) => Path.Combine(FolderOf(round).Path, "round.json");

    private string ModelOf(int round) => round == 0 ? Recipe.Rounds.Model! : FolderOf(round).Path;

    private double? Evaluate(SpeakerModel model, string? scores, CancellationToken cancellation)
    {
        string list = Path.Combine(Recipe.Data.Root, Recipe.Evaluation.Trials);
        if (!File.Exists(list))
        {
            return null;
        }

        var trials = TrialSet.Open(list, Recipe.Data.Root, audio: Recipe.CorpusOptions, options: WithoutIntervals);
        var result = trials.Evaluate(model, out _, cancellation: cancellation);
        if (scores is not null)
        {
            ScoreFile.Write(scores, trials.Trials.Trials, result.Scores);
        }

        return result.Eer;
    }

    private void Clear()
    {
        for (int round = 1; Directory.Exists(FolderOf(round).Path); round++)
        {
            FolderOf(round).Clear();
            File.Delete(LabelsOf(round));
            File.Delete(ResultPath(round));
        }
    }
}
