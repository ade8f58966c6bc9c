using System.Globalization;

namespace Spk.Training.Recipes;

/// <summary>How values of a recipe are written, and how what is allowed is put into words.</summary>
internal static class FieldText
{
    public static string Of(float value) => value.ToString("R", CultureInfo.InvariantCulture);

    public static string Of(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    public static string Of(int value) => value.ToString(CultureInfo.InvariantCulture);

    public static string Of(bool value) => value ? "true" : "false";

    public static string Of<T>(T value) where T : struct, Enum => CamelCase(value.ToString());

    public static string[] Names<T>() where T : struct, Enum => [.. Enum.GetNames<T>().Select(CamelCase)];

    public static string Range(int minimum, int maximum) =>
        maximum == int.MaxValue ? $"whole numbers from {minimum}" : $"whole numbers {minimum} to {maximum}";

    public static string Range(float minimum, float maximum) =>
        maximum == float.MaxValue ? $"{Of(minimum)} or more" : $"{Of(minimum)} to {Of(maximum)}";

    public static string Range(double minimum, double maximum) =>
        maximum == double.MaxValue ? $"{Of(minimum)} or more" : $"{Of(minimum)} to {Of(maximum)}";

    public static string List(IEnumerable<string> names) => string.Join(", ", names);

    /// <summary>The name that needs the fewest edits, or null where none is near.</summary>
    public static string? Nearest(string word, IEnumerable<string> names)
    {
        string? best = null;
        int bestDistance = Math.Max(2, word.Length / 2) + 1;
        foreach (string name in names)
        {
            int distance = EditDistance(word.ToUpperInvariant(), name.ToUpperInvariant());
            if (distance < bestDistance)
            {
                (best, bestDistance) = (name, distance);
            }
        }

        return best;
    }

    // Levenshtein distance, one row at a time.
    private static int EditDistance(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (int j = 0; j < row.Length; j++)
        {
            row[j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }

    private static string CamelCase(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
