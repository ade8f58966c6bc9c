using System.Globalization;
using Spk.Interop;
using YamlDotNet.RepresentationModel;

namespace Spk.Training.Recipes;

/// <summary>Reads the fields of one section from a YAML mapping; what is absent keeps its default.</summary>
internal sealed class RecipeReader : IRecipeFields
{
    private readonly RecipeDocument _document;
    private readonly YamlMappingNode? _mapping;
    private readonly string _prefix;
    private readonly List<string> _known = [];

    public RecipeReader(RecipeDocument document, YamlMappingNode? mapping, string prefix = "")
    {
        _document = document;
        _mapping = mapping;
        _prefix = prefix;
    }

    public int Integer(string key, int value, int minimum, int maximum) =>
        Scalar(key) is { } text ? ParseInteger(key, text, minimum, maximum) : value;


    public ulong Seed(string key, ulong value)
    {
        if (Scalar(key) is not { } text)
        {
            return value;
        }

        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed)
            ? seed : throw Refuse(key, text, "whole numbers from 0 to 18446744073709551615");
    }

    public float Number(string key, float value, float minimum, float maximum) =>
        Scalar(key) is { } text ? ParseNumber(key, text, minimum, maximum) : value;

    public double Number(string key, double value, double minimum, double maximum) =>
        Scalar(key) is { } text ? ParseNumber(key, text, minimum, maximum) : value;

    public double? OptionalNumber(string key, double? value, double minimum, double maximum)
    {
        if (Scalar(key, nullable: true) is not { } text)
        {
            return value;
        }

        return IsNull(text) ? null : ParseNumber(key, text, minimum, maximum);
    }

    public bool Flag(string key, bool value) => Scalar(key) switch
    {
        null => value,
        "true" or "True" => true,
        "false" or "False" => false,
        { } text => throw Refuse(key, text, "true and false"),
    };

    public string Text(string key, string value)
    {
        string text = Scalar(key) ?? value;
        return text.Length > 0 ? text : throw Refuse(key, text, "any text but the empty one");
    }

    public string? OptionalText(string key, string? value)
    {
        string? text = Scalar(key, nullable: true);
        return text is null ? value : IsNull(text) ? null : text;
    }

    public T Choice<T>(string key, T value) where T : struct, Enum
    {
        if (Scalar(key) is not { } text)
        {
            return value;
        }

        foreach (var member in Enum.GetValues<T>())
        {
            if (FieldText.Of(member).Equals(text, StringComparison.OrdinalIgnoreCase))
            {
                return member;
            }
        }

        throw Refuse(key, text, FieldText.List(FieldText.Names<T>()));
    }

    public string Name(string key, string value, IReadOnlyList<string> allowed)
    {
        if (Scalar(key) is not { } text)
        {
            return value;
        }

        return allowed.FirstOrDefault(a => a.Equals(text, StringComparison.OrdinalIgnoreCase))
            ?? throw Refuse(key, text, FieldText.List(allowed));
    }

    public IReadOnlyList<float> Numbers(string key, IReadOnlyList<float> value, float minimum, float maximum)
    {
        var node = Find(key);
        if (node is null)
        {
            return value;
        }

        if (node is not YamlSequenceNode sequence || sequence.Children.Any(c => c is not YamlScalarNode))
        {
            throw Refuse(key, Describe(node), $"a list such as [0.9, 1.1] of numbers {FieldText.Range(minimum, maximum)}");
        }

        return [.. sequence.Children.Select(c => ParseNumber(key, ((YamlScalarNode)c).Value ?? "", minimum, maximum))];
    }

    public T Section<T>(string key, T value, Func<IRecipeFields, T, T> bind)
    {
        var node = Find(key);
        bool absent = node is null || (node is YamlScalarNode scalar && IsNull(scalar.Value));
        if (!absent && node is not YamlMappingNode)
        {
            throw Refuse(key, Describe(node!), "a section of fields, indented below it");
        }

        var reader = new RecipeReader(_document, node as YamlMappingNode, _prefix + key + ".");
        var result = bind(reader, value);
        reader.RequireKnownKeys();
        return result;
    }

    /// <summary>Refuses the first key that no field has asked for.</summary>
    public void RequireKnownKeys()
    {
        foreach (var node in _mapping?.Children.Keys ?? [])
        {
            string key = (node as YamlScalarNode)?.Value ?? "";
            if (_known.Contains(key))
            {
                continue;
            }

            string hint = FieldText.Nearest(key, _known) is { } nearest
                ? $"did you mean {_prefix}{nearest}?"
                : $"allowed here are {FieldText.List(_known)}.";
            throw new InvalidOptionException($"{_document.Where(_prefix + key, node)}: unknown field {_prefix}{key}; {hint}");
        }
    }

    private static bool IsNull(string? text) => text is null or "" or "null" or "~";

    private static string Describe(YamlNode node) => node switch
    {
        YamlScalarNode scalar => scalar.Value ?? "",
        YamlSequenceNode => "a list",
        _ => "a section",
    };

    private YamlNode? Find(string key)
    {
        _known.Add(key);
        return _mapping is not null && _mapping.Children.TryGetValue(new YamlScalarNode(key), out var node) ? node : null;
    }

    private string? Scalar(string key, bool nullable = false)
    {
        var node = Find(key);
        if (node is null)
        {
            return null;
        }

        if (node is not YamlScalarNode scalar)
        {
            throw Refuse(key, Describe(node), "a single value");
        }

        if (!nullable && IsNull(scalar.Value))
        {
            throw Refuse(key, "nothing", "a value: remove the line to get the default");
        }

        return scalar.Value ?? "";
    }

    private int ParseInteger(string key, string text, int minimum, int maximum) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= minimum && number <= maximum
            ? number : throw Refuse(key, text, FieldText.Range(minimum, maximum));

    private float ParseNumber(string key, string text, float minimum, float maximum) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) && number >= minimum && number <= maximum
            ? number : throw Refuse(key, text, FieldText.Range(minimum, maximum));

    private double ParseNumber(string key, string text, double minimum, double maximum) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= minimum && number <= maximum
            ? number : throw Refuse(key, text, FieldText.Range(minimum, maximum));

    private InvalidOptionException Refuse(string key, string text, string allowed) =>
        new($"{_document.Where(_prefix + key, Position(key))}: {_prefix}{key} = {text}: allowed are {allowed}.");

    private YamlNode? Position(string key) =>
        _mapping is not null && _mapping.Children.TryGetValue(new YamlScalarNode(key), out var node) ? node : null;
}
