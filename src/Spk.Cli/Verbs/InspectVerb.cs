using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Recipes;

namespace Spk.Cli.Verbs;

/// <summary>Shows what is inside a file of this tool.</summary>
internal sealed class InspectVerb : Verb
{
    private readonly Argument<string> _path = new("PATH") { Description = "Run folder, checkpoint, model, pack, embeddings (.npy) or recipe (.yaml)." };
    private readonly Option<bool> _tensors = new("--tensors") { Description = "List every tensor of a checkpoint or model." };
    private readonly Option<bool> _recipe = new("--recipe") { Description = "Print the recipe that a checkpoint carries." };

    public InspectVerb() : base("inspect", "Show what is inside a run folder, checkpoint, model, pack, embedding file or recipe; checksums are verified.")
    {
        Arguments.Add(_path);
        Options.Add(_tensors);
        Options.Add(_recipe);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk inspect runs/first",
        "spk inspect runs/first/checkpoints/best.safetensors --tensors",
        "spk inspect corpus/train.spkpack --json",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string path = options.GetRequiredValue(_path);
        if (Directory.Exists(path))
        {
            return InspectTensors(SpeakerModel.Resolve(path), options, context);
        }

        if (!File.Exists(path))
        {
            throw new DataFormatException($"{path} does not exist: give a run folder, checkpoint, model, pack, .npy file or recipe.");
        }

        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".npy" => InspectMatrix(path, context),
            ".yaml" or ".yml" => InspectRecipe(path, context),
            _ when CorpusPack.IsPack(path) => InspectPack(path, context),
            _ => InspectTensors(path, options, context),
        };
    }

    private int InspectTensors(string path, ParseResult options, CommandContext context)
    {
        using var file = SafetensorsFile.Open(path);
        var tensors = file.Tensors.Values.OrderBy(t => t.Offset).ToArray();
        var groups = tensors.GroupBy(t => t.Name.Split('.')[0]).Select(g => (Name: g.Key, Tensors: g.Count(), Elements: g.Sum(t => t.Count))).ToArray();
        if (options.GetValue(_recipe))
        {
            string recipe = file.Metadata.GetValueOrDefault("recipe") ?? throw new DataFormatException($"{path} carries no recipe: only checkpoints do.");
            context.Report(new JsonObject { ["path"] = path, ["recipe"] = recipe }, output => output.Write(recipe));
            return ExitCode.Ok;
        }

        var json = new JsonObject
        {
            ["path"] = path,
            ["kind"] = file.Metadata.GetValueOrDefault("format", "safetensors"),
            ["bytes"] = new FileInfo(path).Length,
            ["metadata"] = new JsonObject(file.Metadata.Select(m => KeyValuePair.Create(m.Key, Value(m.Value)))),
            ["groups"] = new JsonObject(groups.Select(g => KeyValuePair.Create(g.Name, (JsonNode?)new JsonObject { ["tensors"] = g.Tensors, ["elements"] = g.Elements }))),
        };
        if (options.GetValue(_tensors))
        {
            json["tensors"] = new JsonArray([.. tensors.Select(t => (JsonNode)new JsonObject
            {
                ["name"] = t.Name,
                ["type"] = t.Type.ToString(),
                ["shape"] = new JsonArray([.. t.Shape.Select(n => (JsonNode)n)]),
            })]);
        }

        context.Report(json, output =>
        {
            output.WriteLine($"{path}: {json["kind"]}, {new FileInfo(path).Length / 1e6:F1} MB, {tensors.Length} tensors, checksum in order");
            int width = file.Metadata.Keys.Concat(groups.Select(g => g.Name)).DefaultIfEmpty("").Max(name => name.Length);
            foreach (var (key, value) in file.Metadata.Where(m => m.Key is not ("format" or "recipe")))
            {
                output.WriteLine($"  {key.PadRight(width)} {Short(value)}");
            }

            foreach (var group in groups)
            {
                output.WriteLine($"  {group.Name.PadRight(width)} {group.Tensors} tensors, {group.Elements:N0} elements");
            }

            if (options.GetValue(_tensors))
            {
                foreach (var tensor in tensors)
                {
                    output.WriteLine($"  {tensor.Name}  {tensor.Type} [{string.Join(", ", tensor.Shape)}]");
                }
            }
        });
        return ExitCode.Ok;
    }

    private static int InspectPack(string path, CommandContext context)
    {
        using var corpus = Corpus.OpenPack(path);
        var damaged = WorkDisplay.Run(context, "verifying", progress => CorpusPack.Verify(path, progress, context.Stop));
        double hours = (double)corpus.TotalSamples / corpus.SampleRate / 3600;
        var json = new JsonObject
        {
            ["path"] = path,
            ["kind"] = "pack",
            ["bytes"] = new FileInfo(path).Length,
            ["utterances"] = corpus.Count,
            ["speakers"] = corpus.Speakers.Count,
            ["sampleRate"] = corpus.SampleRate,
            ["hours"] = hours,
            ["damaged"] = new JsonArray([.. damaged.Select(id => (JsonNode)id)]),
        };
        context.Report(json, output =>
        {
            output.WriteLine($"{path}: pack, {corpus.Count} utterances of {corpus.Speakers.Count} speakers, {hours:F2} h at {corpus.SampleRate} Hz");
            output.WriteLine(damaged.Count == 0 ? "  every checksum in order" : $"  {damaged.Count} damaged utterances, pack the corpus again: {string.Join(", ", damaged.Take(5))}");
        });
        return damaged.Count == 0 ? ExitCode.Ok : ExitCode.DataProblems;
    }

    private static int InspectMatrix(string path, CommandContext context)
    {
        var (shape, values) = NpyFile.ReadSingle(path);
        int bad = values.Count(v => !float.IsFinite(v));
        string ids = Path.ChangeExtension(path, ".ids.txt");
        int named = File.Exists(ids) ? File.ReadLines(ids).Count(line => line.Length > 0) : 0;
        var json = new JsonObject
        {
            ["path"] = path,
            ["kind"] = "npy",
            ["shape"] = new JsonArray([.. shape.Select(n => (JsonNode)n)]),
            ["ids"] = named,
            ["nonFinite"] = bad,
        };
        context.Report(json, output => output.WriteLine(
            $"{path}: matrix [{string.Join(", ", shape)}], {(named > 0 ? $"{named} ids beside it" : "no ids beside it")}, {(bad == 0 ? "all finite" : $"{bad} elements not finite")}"));
        return ExitCode.Ok;
    }

    private static int InspectRecipe(string path, CommandContext context)
    {
        var recipe = Recipe.Load(path);
        string yaml = recipe.ToYaml();
        context.Report(new JsonObject { ["path"] = path, ["kind"] = "recipe", ["name"] = recipe.Name, ["recipe"] = yaml }, output => output.Write(yaml));
        return ExitCode.Ok;
    }

    // Specifications are stored as JSON text: show them as objects.
    private static JsonNode? Value(string text)
    {
        if (!text.StartsWith('{'))
        {
            return text;
        }

        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return text;
        }
    }

    private static string Short(string text) => text.Replace("\"", "", StringComparison.Ordinal) is var plain && plain.Length <= 160 ? plain : plain[..157] + "...";
}
