namespace Spk.Training.Recipes;

/// <summary>One field of a recipe.</summary>
/// <param name="Path">Dotted path, such as "objective.margin".</param>
/// <param name="Value">Its value as written in YAML.</param>
/// <param name="Allowed">What is allowed, in words.</param>
public sealed record RecipeField(string Path, string Value, string Allowed);

/// <summary>Lists every field of a recipe with its value and what is allowed.</summary>
internal sealed class RecipeFieldList : IRecipeFields
{
    private string _prefix = "";

    public List<RecipeField> Fields { get; } = [];

    public int Integer(string key, int value, int minimum, int maximum) =>
        Add(key, FieldText.Of(value), FieldText.Range(minimum, maximum), value);


    public ulong Seed(string key, ulong value) =>
        Add(key, value.ToString(System.Globalization.CultureInfo.InvariantCulture), "whole numbers from 0", value);

    public float Number(string key, float value, float minimum, float maximum) =>
        Add(key, FieldText.Of(value), FieldText.Range(minimum, maximum), value);

    public double Number(string key, double value, double minimum, double maximum) =>
        Add(key, FieldText.Of(value), FieldText.Range(minimum, maximum), value);

    public double? OptionalNumber(string key, double? value, double minimum, double maximum) =>
        Add(key, value is { } number ? FieldText.Of(number) : "null", $"null, {FieldText.Range(minimum, maximum)}", value);

    public bool Flag(string key, bool value) => Add(key, FieldText.Of(value), "true, false", value);

    public string Text(string key, string value) => Add(key, value, "text", value);

    public string? OptionalText(string key, string? value) => Add(key, value ?? "null", "text, null", value);

    public T Choice<T>(string key, T value) where T : struct, Enum =>
        Add(key, FieldText.Of(value), FieldText.List(FieldText.Names<T>()), value);

    public string Name(string key, string value, IReadOnlyList<string> allowed) => Add(key, value, FieldText.List(allowed), value);

    public IReadOnlyList<float> Numbers(string key, IReadOnlyList<float> value, float minimum, float maximum) =>
        Add(key, $"[{string.Join(", ", value.Select(FieldText.Of))}]", $"a list of {FieldText.Range(minimum, maximum)}", value);

    public T Section<T>(string key, T value, Func<IRecipeFields, T, T> bind)
    {
        string outer = _prefix;
        _prefix += key + ".";
        bind(this, value);
        _prefix = outer;
        return value;
    }

    private T Add<T>(string key, string text, string allowed, T value)
    {
        Fields.Add(new RecipeField(_prefix + key, text, allowed));
        return value;
    }
}
