using System.Text;

namespace Spk.Training.Recipes;

/// <summary>Writes every field of a recipe as YAML.</summary>
internal sealed class RecipeWriter : IRecipeFields
{
    private readonly StringBuilder _text = new();
    private int _depth;

    public override string ToString() => _text.ToString();

    public int Integer(string key, int value, int minimum, int maximum) => Line(key, FieldText.Of(value), value);


    public ulong Seed(string key, ulong value) => Line(key, value.ToString(System.Globalization.CultureInfo.InvariantCulture), value);

    public float Number(string key, float value, float minimum, float maximum) => Line(key, FieldText.Of(value), value);

    public double Number(string key, double value, double minimum, double maximum) => Line(key, FieldText.Of(value), value);

    public double? OptionalNumber(string key, double? value, double minimum, double maximum) =>
        Line(key, value is { } number ? FieldText.Of(number) : "null", value);

    public bool Flag(string key, bool value) => Line(key, FieldText.Of(value), value);

    public string Text(string key, string value) => Line(key, Quote(value), value);

    public string? OptionalText(string key, string? value) => Line(key, value is null ? "null" : Quote(value), value);

    public T Choice<T>(string key, T value) where T : struct, Enum => Line(key, FieldText.Of(value), value);

    public string Name(string key, string value, IReadOnlyList<string> allowed) => Line(key, value, value);

    public IReadOnlyList<float> Numbers(string key, IReadOnlyList<float> value, float minimum, float maximum) =>
        Line(key, $"[{string.Join(", ", value.Select(FieldText.Of))}]", value);

    public T Section<T>(string key, T value, Func<IRecipeFields, T, T> bind)
    {
        _text.Append(' ', _depth * 2).Append(key).Append(":\n");
        _depth++;
        bind(this, value);
        _depth--;
        return value;
    }

    // Double quotes with the two escapes that matter keep any path or name a single scalar.
    private static string Quote(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/') && !"0123456789-.~".Contains(text[0], StringComparison.Ordinal)
            && text is not ("null" or "true" or "false")
            ? text
            : "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";

    private T Line<T>(string key, string text, T value)
    {
        _text.Append(' ', _depth * 2).Append(key).Append(": ").Append(text).Append('\n');
        return value;
    }
}
