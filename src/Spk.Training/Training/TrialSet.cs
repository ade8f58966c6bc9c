using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Recipes;

namespace Spk.Training;

/// <summary>A trial list with the audio it names, to be scored again and again while a model trains.</summary>
internal sealed class TrialSet
{
    private readonly TrialList _trials;
    private readonly Utterance[] _utterances;
    private readonly CorpusOptions _options;

    private TrialSet(string name, TrialList trials, Utterance[] utterances, CorpusOptions options) =>
        (Name, _trials, _utterances, _options) = (name, trials, utterances, options);

    /// <summary>File name of the list.</summary>
    public string Name { get; }

    /// <summary>Reads the list of a recipe and checks that its files are there.</summary>
    public static TrialSet Load(Recipe recipe)
    {
        string path = Path.Combine(recipe.Data.Root, recipe.Evaluation.Trials);
        var trials = TrialList.Read(path);
        return new TrialSet(Path.GetFileName(path), trials, Locate(trials, recipe.Data.Root), recipe.CorpusOptions);
    }

    /// <summary>The files that a list names, below a folder.</summary>
    /// <exception cref="DataFormatException">Some are missing; the message counts them and names the first.</exception>
    public static Utterance[] Locate(TrialList trials, string root)
    {
        var utterances = trials.Utterances.Select(id => new Utterance(id, Path.GetFullPath(Path.Combine(root, id)))).ToArray();
        string[] missing = [.. utterances.Where(u => !File.Exists(u.Path)).Select(u => u.Id)];
        return missing.Length == 0
            ? utterances
            : throw new DataFormatException(
                $"{missing.Length} of the {utterances.Length} files that {trials.Source} names are not below {root}, {missing[0]} being the first: give the folder that the list's paths start from.");
    }

    /// <summary>Scores without confidence intervals, which cost more than they tell during training.</summary>
    public static EvaluationResult Evaluate(TrialList trials, EmbeddingTable table) =>
        TrialEvaluation.Run(trials.Trials, table, new EvaluationOptions { BootstrapDraws = 0 });

    public EvaluationResult Evaluate(SpeakerModel model) => Evaluate(_trials, EmbeddingExtractor.Run(model, _utterances, _options));
}
