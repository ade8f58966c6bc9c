using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Devices;
using Spk.Training.Data;
using Spk.Training.PseudoLabelling;
using Spk.Training.Recipes;

namespace Spk.Cli.Verbs;

/// <summary>Trains on the clusters of a model's embeddings, round after round.</summary>
internal sealed class PseudoLabelVerb : Verb
{
    private readonly Argument<string> _model = new("MODEL") { Description = "Run folder, checkpoint or model file whose embeddings are clustered first." };
    private readonly TrainingOptions _training = new();

    public PseudoLabelVerb() : base("pseudo-label", "Rounds of embedding, clustering and training on the clusters, as the recipe's section rounds says.")
    {
        Arguments.Add(_model);
        _training.AddTo(this);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk pseudo-label runs/am recipes/openvoices-pseudo-labels.yaml --set data.root=corpus --out runs/rounds",
        "spk pseudo-label runs/am recipe.yaml --set rounds.clusters=300 rounds.count=3 objective.mix.kind=pooled --out runs/rounds",
        "spk pseudo-label runs/am recipe.yaml --out runs/rounds --resume",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        var recipe = _training.Load(options);
        recipe = recipe with { Rounds = recipe.Rounds with { Model = options.GetRequiredValue(_model), Count = Math.Max(1, recipe.Rounds.Count) } };
        string folder = _training.Folder(options, PseudoLabelRounds.AreIn, out var resume);
        var rounds = PseudoLabelRounds.Open(recipe, folder, resume);
        using var device = context.OpenDevice();
        NoteMemory(recipe, device, context);
        var results = new List<RoundResult>();
        try
        {
            for (int round = 1; round <= rounds.Count; round++)
            {
                int number = round;
                var labelled = WorkDisplay.Run(context, $"round {round}, embedding", progress => rounds.Label(number, device, progress, context.Stop));
                context.Note($"round {round}: {Describe(labelled)}");
                results.Add(TrainingDisplay.Run(context, progress => rounds.Train(number, device, progress, context.Stop)));
                context.Note($"round {round}: EER {Percent(results[^1].EerBefore)} before, {Percent(results[^1].Eer)} after {results[^1].Steps} steps");
            }
        }
        catch (OperationCanceledException)
        {
            context.Error.WriteLine($"Interrupted in round {results.Count + 1}; the same command with --resume goes on.");
            return context.Interruption.ExitCode;
        }

        string model = rounds.FolderOf(rounds.Count).Path;
        var json = new JsonObject { ["out"] = folder, ["model"] = model, ["rounds"] = new JsonArray([.. results.Select(r => r.ToJson())]) };
        context.Report(json, output =>
        {
            foreach (var result in results)
            {
                output.WriteLine($"round {result.Round}: {Describe(result)}; EER {Percent(result.EerBefore)} → {Percent(result.Eer)}");
            }

            output.WriteLine($"Model: {model}");
        });
        return ExitCode.Ok;
    }

    // Better known before an hour of embedding than after.
    private static void NoteMemory(Recipe recipe, Device device, CommandContext context)
    {
        string corpus = Path.Combine(recipe.Data.Root, recipe.Data.Pack ?? recipe.Data.Train);
        if (!Path.Exists(corpus))
        {
            return;
        }

        var memory = PseudoLabelMemory.Estimate(recipe, Count(corpus, recipe), device);
        context.Note(
            $"{MemoryText.Of(memory.Clustering, $"to cluster {memory.Utterances} embeddings")}, and {memory.Training.Device >> 20} MiB on the device to train {recipe.Rounds.Clustering.Clusters} classes");
        MemoryText.WarnIfShort(memory.Clustering, device, context);
    }

    private static int Count(string path, Recipe recipe)
    {
        if (recipe.Data.Pack is null)
        {
            return Manifest.Load(path, recipe.Data.Root).Utterances.Count;
        }

        using var corpus = Corpus.OpenPack(path);
        return corpus.Count;
    }

    private static string Describe(RoundResult result)
    {
        string truth = result.Measures.TryGetValue("completeness", out double completeness)
            ? string.Create(CultureInfo.InvariantCulture, $", completeness {completeness:F3}, NMI {result.Measures["nmi"]:F3}, accuracy {result.Measures["accuracy"]:F3}")
            : "";
        return $"{result.Measures["clusters"]} clusters of {result.Utterances} utterances{truth}";
    }

    private static string Percent(double? rate) => rate is { } value ? Screen.Percent(value) : "–";
}
