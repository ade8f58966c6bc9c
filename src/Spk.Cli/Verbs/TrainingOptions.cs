using System.CommandLine;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Recipes;

namespace Spk.Cli.Verbs;

/// <summary>The options of every verb that trains, and what they mean.</summary>
internal sealed class TrainingOptions
{
    private readonly Argument<string> _recipe = new("RECIPE") { Description = "Recipe file (YAML)." };
    private readonly Option<string[]> _set = CommonOptions.Set("Replace a field of the recipe; may be repeated, or take several.");
    private readonly Option<string> _out = CommonOptions.Out("Run folder: recipe, log, checkpoints, TensorBoard events, report.", "DIR");
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Seed of everything random; the same as --set training.seed=N.", HelpName = "N" };
    private readonly Option<bool> _resume = new("--resume") { Description = "Go on with the run in DIR if there is one: same bits as without the stop." };
    private readonly Option<bool> _restart = new("--restart") { Description = "Replace the run in DIR." };
    private readonly Option<bool> _profile = new("--profile") { Description = "Measure where the time of a step goes. Slower on a GPU: it waits at every boundary." };

    public void AddTo(Command verb)
    {
        verb.Arguments.Add(_recipe);
        foreach (Option option in new Option[] { _set, _out, _seed, _resume, _restart, _profile })
        {
            verb.Options.Add(option);
        }

        verb.Validators.Add(result =>
        {
            if (CommonOptions.WrongAssignment(result.GetValue(_set)) is { } wrong)
            {
                result.AddError($"--set takes key=value, not '{wrong}'; put the recipe before --set.");
            }
            else if (result.GetValue(_resume) && result.GetValue(_restart))
            {
                result.AddError("--resume and --restart exclude each other.");
            }
        });
    }

    /// <summary>The recipe with the assignments laid over it.</summary>
    public Recipe Load(ParseResult options)
    {
        List<string> overrides = [.. options.GetValue(_set) ?? []];
        if (options.GetValue(_seed) is { } seed)
        {
            overrides.Add($"training.seed={seed}");
        }

        return Recipe.Load(options.GetRequiredValue(_recipe), overrides);
    }

    /// <summary>The training that the options ask for.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="recipe">What to train.</param>
    /// <exception cref="InvalidOptionException">The folder holds a run, and the options do not say what to do with it.</exception>
    public TrainingJob Job(ParseResult options, Recipe recipe)
    {
        string folder = Folder(options, f => new RunFolder(f).HasCheckpoint, out var resume);
        return new TrainingJob(recipe, Path.GetFileName(options.GetRequiredValue(_recipe)), folder, resume == ResumeMode.Auto, options.GetValue(_profile));
    }

    /// <summary>Where to train, and what to do with what is there.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="isUsed">Whether a folder holds results already.</param>
    /// <param name="resume">Goes on or starts anew.</param>
    /// <exception cref="InvalidOptionException">The folder is used, and the options do not say what to do with it.</exception>
    public string Folder(ParseResult options, Func<string, bool> isUsed, out ResumeMode resume)
    {
        string folder = options.GetRequiredValue(_out);
        resume = options.GetValue(_resume) ? ResumeMode.Auto : ResumeMode.Restart;
        return resume == ResumeMode.Auto || options.GetValue(_restart) || !isUsed(folder)
            ? folder
            : throw new InvalidOptionException($"{folder} holds a run already: add --resume to go on with it, --restart to replace it, or choose another --out.");
    }
}
