using Spk.Training.Recipes;

namespace Spk.Training.Reproduction;

/// <summary>One training of an experiment: a system on a corpus with a seed.</summary>
public sealed class SystemRun
{
    private const string FiguresFile = "figures.json";

    internal SystemRun(ExperimentCorpus corpus, ExperimentSystem system, ulong seed, RunFolder folder, Recipe recipe, SystemRun? from) =>
        (Corpus, System, Seed, Folder, Recipe, From) = (corpus, system, seed, folder, recipe, from);

    /// <summary>What it learns from.</summary>
    public ExperimentCorpus Corpus { get; }

    /// <summary>How it is trained.</summary>
    public ExperimentSystem System { get; }

    /// <summary>Its seed.</summary>
    public ulong Seed { get; }

    /// <summary>Its files.</summary>
    public RunFolder Folder { get; }

    /// <summary>Its resolved recipe.</summary>
    public Recipe Recipe { get; }

    /// <summary>The run whose last checkpoint it starts from; null for none.</summary>
    public SystemRun? From { get; }

    /// <summary>The run whose embeddings were clustered into its pseudo-labels; null for none.</summary>
    public SystemRun? Labels { get; internal init; }

    /// <summary>File of its pseudo-labels; null for none.</summary>
    internal string? LabelPath { get; init; }

    /// <summary>Whether it was trained and measured, now or earlier.</summary>
    public bool IsFinished => File.Exists(Figures);

    /// <summary>Written last: what was measured.</summary>
    internal string Figures => Path.Combine(Folder.Path, FiguresFile);

    /// <summary>Embeddings of the evaluation utterances.</summary>
    internal string Embeddings => Path.Combine(Folder.Path, "embeddings.npy");

    /// <summary>The trial list it is scored on.</summary>
    internal string TrialList => Path.Combine(Recipe.Data.Root, Recipe.Evaluation.Trials);

    /// <summary>The first field in which the recipe of the run that lies in the folder differs from this one; null where it is the same or there is none.</summary>
    internal (RecipeField Made, RecipeField Wanted)? Difference()
    {
        if (!File.Exists(Folder.Recipe))
        {
            return null;
        }

        foreach (var (made, wanted) in Recipe.Load(Folder.Recipe).Fields().Zip(Recipe.Fields()))
        {
            // A folder may be moved, and checkpoints change nothing.
            if (made.Value != wanted.Value && made.Path is not ("name" or "data.root" or "data.labels.file" or "training.checkpointEverySteps"))
            {
                return (made, wanted);
            }
        }

        return null;
    }
}
