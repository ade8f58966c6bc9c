using Spk.Interop;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Spk.Training.Recipes;

/// <summary>The YAML tree of a recipe with the overrides of the command line laid over it, and where each value came from.</summary>
internal sealed class RecipeDocument
{
    private readonly string _source;
    private readonly Dictionary<string, string> _overrides = [];

    private RecipeDocument(string source, YamlMappingNode root) => (_source, Root) = (source, root);

    public YamlMappingNode Root { get; }

    public static RecipeDocument Parse(string yaml, string source, IEnumerable<string> overrides)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(yaml));
        }
        catch (YamlException e)
        {
            throw new DataFormatException($"{source}, line {e.Start.Line}: not valid YAML: {FirstLine(e.InnerException?.Message ?? e.Message)}", e);
        }

        var root = stream.Documents.Count == 0 ? new YamlMappingNode() : stream.Documents[0].RootNode as YamlMappingNode;
        var document = new RecipeDocument(source, root
            ?? throw new DataFormatException($"{source}: a recipe is a mapping of sections (data:, encoder:, objective:, ...), not a single value or a list."));
        foreach (string assignment in overrides)
        {
            document.Override(assignment);
        }

        return document;
    }

    /// <summary>Names the place of a field for a message: the file with its line, or the override that set it.</summary>
    public string Where(string path, YamlNode? node)
    {
        if (_overrides.TryGetValue(path, out string? assignment))
        {
            return $"--set {assignment}";
        }

        return node is null ? _source : $"{_source}, line {node.Start.Line}";
    }

    private static string FirstLine(string message) => message.Split('\n')[0].TrimEnd('\r', '.', ' ') + ".";

    private void Override(string assignment)
    {
        int equals = assignment.IndexOf('=', StringComparison.Ordinal);
        string path = equals < 0 ? "" : assignment[..equals].Trim();
        string[] keys = path.Split('.');
        if (keys.Any(k => k.Length == 0))
        {
            throw new InvalidOptionException($"--set {assignment}: write it as section.field=value, such as objective.margin=0.1.");
        }

        var mapping = Root;
        for (int i = 0; i < keys.Length - 1; i++)
        {
            var key = new YamlScalarNode(keys[i]);
            if (!mapping.Children.TryGetValue(key, out var child) || child is not YamlMappingNode inner)
            {
                inner = new YamlMappingNode();
                mapping.Children[key] = inner;
            }

            mapping = inner;
            _overrides.TryAdd(string.Join('.', keys[..(i + 1)]), assignment);
        }

        mapping.Children[new YamlScalarNode(keys[^1])] = Value(assignment, assignment[(equals + 1)..].Trim());
        _overrides[path] = assignment;
    }

    // The value may be a list, [0.9, 1.1]; anything else is taken literally, so that paths need no quoting.
    private static YamlNode Value(string assignment, string text)
    {
        if (!text.StartsWith('['))
        {
            return new YamlScalarNode(text);
        }

        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new InvalidOptionException($"--set {assignment}: the list is not closed; write it as [a, b].", e);
        }

        return stream.Documents[0].RootNode;
    }
}
