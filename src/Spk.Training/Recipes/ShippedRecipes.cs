using Spk.Interop;

namespace Spk.Training.Recipes;

/// <summary>The recipes of the repository's folder <c>recipes</c>, which travel inside the library.</summary>
public static class ShippedRecipes
{
    private const string Ending = ".yaml";

    /// <summary>Names without the ending, in ordinal order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(ShippedRecipes).Assembly.GetManifestResourceNames().Where(n => n.EndsWith(Ending, StringComparison.Ordinal))
            .Select(n => n[..^Ending.Length]).Order(StringComparer.Ordinal),
    ];

    /// <summary>Reads a recipe and lays overrides over it.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="overrides">Assignments such as "objective.margin=0.1", later ones winning.</param>
    /// <returns>The resolved recipe.</returns>
    /// <exception cref="InvalidOptionException">There is no recipe of that name, or an override is not allowed.</exception>
    public static Recipe Load(string name, IEnumerable<string>? overrides = null)
    {
        using var stream = typeof(ShippedRecipes).Assembly.GetManifestResourceStream(name + Ending)
            ?? throw new InvalidOptionException($"There is no shipped recipe '{name}'; there are {string.Join(", ", Names)}.");
        using var reader = new StreamReader(stream);
        return Recipe.Parse(reader.ReadToEnd(), $"recipes/{name}{Ending}", overrides);
    }
}
