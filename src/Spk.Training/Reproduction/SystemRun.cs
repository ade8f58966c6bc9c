using Spk.Training.Recipes;

namespace Spk.Training.Reproduction;

/// <summary>One training of an experiment: a system on a corpus with a seed.</summary>
public sealed class SystemRun
{
    private const string FiguresFile = "figures.json";

    internal SystemRun(ExperimentCorpus corpus, ExperimentSystem system, ulong seed, RunFolder folder, Recipe recipe) =>
        (Corpus, System, Seed, Folder, Recipe) = (corpus, system, seed, folder, recipe);

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
    public SystemRun? From { get; internal init; }

    /// <summary>The run whose encoder it fine-tunes; null for none.</summary>
    public SystemRun? Pretrained { get; internal init; }

    /// <summary>The runs that it aligns; null for a training.</summary>
    public (SystemRun Enrolment, SystemRun Runtime)? Aligns { get; internal init; }

    /// <summary><see cref="Experiment.EnrolmentUtterances"/>.</summary>
    internal int EnrolmentUtterances { get; init; }

    /// <summary>The runs that have to be finished before this one.</summary>
    internal IEnumerable<SystemRun> Needs => new[] { From, Pretrained, Labels, Aligns?.Enrolment, Aligns?.Runtime }.OfType<SystemRun>();

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

    /// <summary>How the encoders were aligned.</summary>
    internal string AlignmentSpec => Path.Combine(Folder.Path, "alignment.txt");

    /// <summary>The first field in which the recipe of the run that lies in the folder differs from this one; null where it is the same or there is none.</summary>
    internal (RecipeField Made, RecipeField Wanted)? Difference()
    {
        if (!File.Exists(Folder.Recipe))
        {
            return null;
        }

        if (System.Alignment is { } alignment && File.Exists(AlignmentSpec) && File.ReadAllText(AlignmentSpec).Trim() is var made && made != $"{alignment.Spec}")
        {
            return (new RecipeField("alignment", made, ""), new RecipeField("alignment", $"{alignment.Spec}", ""));
        }

        foreach (var (found, wanted) in Recipe.Load(Folder.Recipe).Fields().Zip(Recipe.Fields()))
        {
            // A folder may be moved, and checkpoints change nothing.
            if (found.Value != wanted.Value && found.Path is not ("name" or "data.root" or "data.labels.file" or "finetune.model" or "training.checkpointEverySteps"))
            {
                return (found, wanted);
            }
        }

        return null;
    }
}
