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
        bool skipped = false;
        foreach (var token in options.Tokens)
        {
            if (token.Type == TokenType.Option)
            {
                skipped = false;
                foreach (var option in without)
                {
                    skipped |= option.Name == token.Value || option.Aliases.Contains(token.Value);
                }
            }

            if (!skipped)
            {
                words.Add(token.Value);
            }
        }

        return string.Join(' ', words);
    }
}
