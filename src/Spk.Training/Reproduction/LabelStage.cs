using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.PseudoLabelling;
using Spk.Training.Recipes;

namespace Spk.Training.Reproduction;

/// <summary>Makes the pseudo-labels that runs of an experiment are trained on.</summary>
internal static class LabelStage
{
    /// <summary>Prefix of the quantities of a run that measure its labels.</summary>
    public const string Prefix = "label.";

    /// <summary>Makes the labels of a run, and of all that are made of the same embeddings, where they are missing.</summary>
    public static void Make(SystemRun run, IReadOnlyList<SystemRun> runs, Device device, CancellationToken cancellation)
    {
        if (run.Labels is null || File.Exists(run.LabelPath))
        {
            return;
        }

        var from = run.Labels;
        var recipe = from.Recipe;
        using var corpus = RecipeCorpus.Load(recipe, null, cancellation);
        var model = SpeakerModel.Load(from.Folder.Path, device);
        var embeddings = EmbeddingExtractor.Run(model, corpus, RecipeCorpus.Members(recipe, corpus, RecipeCorpus.Development(recipe, corpus)), cancellation: cancellation);
        foreach (var other in runs.Where(r => r.Labels == from && !File.Exists(r.LabelPath)))
        {
            var made = LabelMaker.Make(
                embeddings, other.System.Labels!.For(corpus.Speakers.Count), run.Seed, id => corpus.Utterances[corpus.IndexOf(id)].Speaker, device, cancellation: cancellation);
            Directory.CreateDirectory(Path.GetDirectoryName(other.LabelPath)!);
            var measures = new JsonObject();
            foreach (var (name, value) in made.Measures)
            {
                measures[name] = double.IsFinite(value) ? value : null;
            }

            AtomicFile.WriteText(MeasurePath(other), measures.ToJsonString() + "\n");
            made.Labels.Write(other.LabelPath!);
        }
    }

    /// <summary>The measures of a run's labels; none where it has no pseudo-labels.</summary>
    /// <exception cref="DataFormatException">Their file is damaged.</exception>
    public static KeyValuePair<string, double>[] Measures(SystemRun run)
    {
        if (run.Labels is null)
        {
            return [];
        }

        try
        {
            return [.. JsonNode.Parse(File.ReadAllText(MeasurePath(run)))!.AsObject().Where(m => m.Value is not null).Select(m => KeyValuePair.Create(Prefix + m.Key, (double)m.Value!))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or IOException)
        {
            throw new DataFormatException($"{MeasurePath(run)} holds no measures of labels: delete it and {run.LabelPath} to have them made again.", e);
        }
    }

    private static string MeasurePath(SystemRun run) => Path.ChangeExtension(run.LabelPath, ".json")!;
}
