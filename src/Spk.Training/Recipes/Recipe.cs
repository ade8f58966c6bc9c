using Spk.Engine.Encoders;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Optimization;
using Spk.Training.Positives;

namespace Spk.Training.Recipes;

/// <summary>
/// Everything that defines a training run: data, features, encoder, objective, optimizer, schedule, length and evaluation.
/// Read from YAML with camelCase keys; every field has a default, a range and a line in docs/recipes.md.
/// </summary>
public sealed record Recipe
{
    /// <summary>Short name of the recipe, for reports.</summary>
    public string Name { get; init; } = "recipe";

    /// <summary>Audio, crops and augmentation.</summary>
    public DataSection Data { get; init; } = new();

    /// <summary>Filterbank features.</summary>
    public FeatureSection Features { get; init; } = new();

    /// <summary>The network; its input bands are those of <see cref="Features"/>.</summary>
    public EncoderSpec Encoder { get; init; } = RecipeBinding.DefaultEncoder;

    /// <summary>What is minimised.</summary>
    public ObjectiveSpec Objective { get; init; } = new();

    /// <summary>Where positives come from: SSPS.</summary>
    public PositiveSamplingSpec Ssps { get; init; } = new();

    /// <summary>What training starts from, and what of it moves.</summary>
    public FineTuneSection FineTune { get; init; } = new();

    /// <summary>Rounds of pseudo-label training.</summary>
    public RoundsSection Rounds { get; init; } = new();

    /// <summary>How parameters follow the gradients.</summary>
    public OptimizerSpec Optimizer { get; init; } = new();

    /// <summary>The learning rate over the run.</summary>
    public ScheduleSection Schedule { get; init; } = new();

    /// <summary>Length, batch and seed.</summary>
    public TrainingSection Training { get; init; } = new();

    /// <summary>What is scored while training.</summary>
    public EvaluationSection Evaluation { get; init; } = new();

    /// <summary>The encoder with the bands of the features.</summary>
    public EncoderSpec ResolvedEncoder => Encoder with { Bins = Features.Spec.Bins };

    /// <summary>How audio is read: the features' sample rate, and the recipe's rules for channels and other rates.</summary>
    public CorpusOptions CorpusOptions => new() { SampleRate = Features.Spec.SampleRate, Channels = Data.Channels, Resample = Data.Resample };

    /// <summary>Reads a recipe file and lays overrides over it.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides">Assignments such as "objective.margin=0.1", later ones winning.</param>
    /// <returns>The resolved recipe.</returns>
    /// <exception cref="DataFormatException">The file is missing or not YAML.</exception>
    /// <exception cref="InvalidOptionException">A field is unknown or outside what is allowed; the message names file, line and field.</exception>
    public static Recipe Load(string path, IEnumerable<string>? overrides = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        string yaml;
        try
        {
            yaml = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"Cannot read the recipe {path}: {e.Message}", e);
        }

        return Parse(yaml, path, overrides);
    }

    /// <summary>Reads a recipe from text.</summary>
    /// <param name="yaml">The recipe.</param>
    /// <param name="source">What messages call it, such as the file's path.</param>
    /// <param name="overrides">Assignments such as "objective.margin=0.1", later ones winning.</param>
    /// <returns>The resolved recipe.</returns>
    /// <exception cref="DataFormatException">The text is not YAML.</exception>
    /// <exception cref="InvalidOptionException">A field is unknown or outside what is allowed.</exception>
    public static Recipe Parse(string yaml, string source, IEnumerable<string>? overrides = null)
    {
        ArgumentNullException.ThrowIfNull(yaml);
        ArgumentNullException.ThrowIfNull(source);
        var document = RecipeDocument.Parse(yaml, source, overrides ?? []);
        var reader = new RecipeReader(document, document.Root);
        var recipe = RecipeBinding.Bind(reader, new Recipe());
        reader.RequireKnownKeys();
        try
        {
            recipe.Validate();
        }
        catch (InvalidOptionException e)
        {
            throw new InvalidOptionException($"{source}: {e.Message}", e);
        }

        return recipe;
    }

    /// <summary>The recipe with every field written out; reading it back gives an equal recipe.</summary>
    public string ToYaml()
    {
        var writer = new RecipeWriter();
        RecipeBinding.Bind(writer, this);
        return writer.ToString();
    }

    /// <summary>Every field with its value and what is allowed, in the order of <see cref="ToYaml"/>.</summary>
    public IReadOnlyList<RecipeField> Fields()
    {
        var list = new RecipeFieldList();
        RecipeBinding.Bind(list, this);
        return list.Fields;
    }

    /// <summary>Checks what no single field can: that sections fit each other.</summary>
    /// <exception cref="InvalidOptionException">Two fields contradict each other; the message names both.</exception>
    public void Validate() => RecipeRules.Check(this);
}
