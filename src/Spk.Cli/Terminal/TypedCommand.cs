using System.CommandLine;
using System.CommandLine.Parsing;

namespace Spk.Cli.Terminal;

/// <summary>The command line as it was typed, to be kept beside what it made.</summary>
internal static class TypedCommand
{
    /// <summary>Puts it together again.</summary>
    /// <param name="options">The parsed line.</param>
    /// <param name="without">Options that are left out with their values, such as those that name files of this machine.</param>
    public static string Of(ParseResult options, params ReadOnlySpan<Option> without)
    {
        var words = new List<string> { "spk" };
        int skipped = 0;
        foreach (var token in options.Tokens)
        {
            if (token.Type == TokenType.Option)
            {
                skipped = 0;
                foreach (var option in without)
                {
                    if (option.Name == token.Value || option.Aliases.Contains(token.Value))
                    {
                        skipped = option.ValueType == typeof(bool) ? 1 : 2; // Itself, and its value where it takes one.
                    }
                }
            }

            if (skipped == 0)
            {
                words.Add(Quoted(token.Value));
            }

            skipped = Math.Max(0, skipped - 1);
        }

        return string.Join(' ', words);
    }

    /// <summary>A word as a shell takes it for one again.</summary>
    internal static string Quoted(string word) => word.Length > 0 && word.All(c => char.IsLetterOrDigit(c) || "-_./,:=+@%".Contains(c, StringComparison.Ordinal))
        ? word
        : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
