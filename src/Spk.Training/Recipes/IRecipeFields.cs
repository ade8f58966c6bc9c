namespace Spk.Training.Recipes;

/// <summary>
/// One pass over the fields of a recipe section. Reading, writing, comparing and listing are implementations of it, so each
/// field is described once, with its range, in <see cref="RecipeBinding"/>.
/// </summary>
internal interface IRecipeFields
{
    /// <summary>A whole number.</summary>
    int Integer(string key, int value, int minimum, int maximum);

    /// <summary>A 64-bit seed.</summary>
    ulong Seed(string key, ulong value);

    /// <summary>A finite number.</summary>
    float Number(string key, float value, float minimum, float maximum);

    /// <summary>A finite number in double precision.</summary>
    double Number(string key, double value, double minimum, double maximum);

    /// <summary>A finite number, or null for "none".</summary>
    double? OptionalNumber(string key, double? value, double minimum, double maximum);

    /// <summary>true or false.</summary>
    bool Flag(string key, bool value);

    /// <summary>Text that must not be empty.</summary>
    string Text(string key, string value);

    /// <summary>Text, or null for "none".</summary>
    string? OptionalText(string key, string? value);

    /// <summary>One of the names of an enumeration, in camelCase.</summary>
    T Choice<T>(string key, T value) where T : struct, Enum;

    /// <summary>One of a list of names.</summary>
    string Name(string key, string value, IReadOnlyList<string> allowed);

    /// <summary>A list of numbers.</summary>
    IReadOnlyList<float> Numbers(string key, IReadOnlyList<float> value, float minimum, float maximum);

    /// <summary>A nested section.</summary>
    T Section<T>(string key, T value, Func<IRecipeFields, T, T> bind);
}
