using System.CommandLine;
using System.CommandLine.Parsing;

namespace Spk.Cli.Terminal;

/// <summary>Says in one sentence what is wrong with a command line.</summary>
internal static class UsageError
{
    public static string Describe(ParseResult parse)
    {
        var command = parse.CommandResult.Command;
        string path = Path(command);
        if (parse.UnmatchedTokens.Count > 0)
        {
            string token = parse.UnmatchedTokens[0];
            bool option = token.StartsWith('-');
            var known = option ? OptionNames(command) : command.Subcommands.Select(c => c.Name);
            string what = option ? "option" : command.Subcommands.Count > 0 ? "verb" : "argument";
            string hint = Nearest(token, known) is { } near ? $": did you mean {near}?" : ".";
            return $"Unknown {what} '{token}' for '{path}'{hint} See '{path} --help'.";
        }

        var error = parse.Errors[0];
        if (Value(error.SymbolResult) is { Given: { } given } value && (Wanted(value.Type) ?? OneOf(error.Message)) is { } wanted)
        {
            return $"{value.Name} takes {wanted}, not '{given}'.";
        }

        if (command.Subcommands.Count > 0 && command.Action is not OwnWork)
        {
            return $"'{path}' needs a verb: {string.Join(", ", command.Subcommands.Select(c => c.Name))}.";
        }

        // The parser never begins with an option: this is a sentence of a verb.
        if (error.Message.StartsWith("--", StringComparison.Ordinal))
        {
            return error.Message;
        }

        var missing = parse.Errors.Select(Missing).OfType<string>().ToArray();
        return missing.Length > 0
            ? $"'{path}' needs {string.Join(" and ", missing)}. See '{path} --help'."
            : $"{error.Message} See '{path} --help'.";
    }

    private static (string Name, Type Type, string? Given)? Value(SymbolResult? symbol) => symbol switch
    {
        OptionResult option => (option.Option.Name, option.Option.ValueType, Last(option)),
        ArgumentResult { Parent: OptionResult option } => Value(option),
        ArgumentResult argument => (argument.Argument.Name, argument.Argument.ValueType, Last(argument)),
        _ => null,
    };

    private static string? Last(SymbolResult symbol) => symbol.Tokens is { Count: > 0 } tokens ? tokens[^1].Value : null;

    private static string? Missing(ParseError error) => error.SymbolResult switch
    {
        OptionResult { IdentifierTokenCount: > 1 } option => $"{option.Option.Name} only once",
        OptionResult { IdentifierToken: not null } option => $"a value after {option.Option.Name}",
        OptionResult option => $"{option.Option.Name} {option.Option.HelpName}".TrimEnd(),
        ArgumentResult { Parent: OptionResult { IdentifierTokenCount: > 1 } option } => $"{option.Option.Name} only once",
        ArgumentResult { Parent: OptionResult option } => $"a value after {option.Option.Name}",
        ArgumentResult argument => argument.Argument.Name,
        CommandResult => MissingOfCommand(error.Message),
        _ => null,
    };

    // The parser hangs a missing symbol on the command and names it in quotes.
    private static string? MissingOfCommand(string message)
    {
        string[] parts = message.Split('\'');
        return parts.Length > 2 ? parts[1] : null;
    }

    private static string? Wanted(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var t when t == typeof(int) || t == typeof(long) || t == typeof(ulong) => "a whole number",
        var t when t == typeof(double) || t == typeof(float) => "a number",
        _ => null,
    };

    // "Argument 'x' not recognized. Must be one of:" and the allowed words in quotes, a line each.
    private static string? OneOf(string message)
    {
        string[] words = [.. message.Split('\'').Where((_, i) => i % 2 == 1).Skip(1)];
        return words.Length > 1 ? $"{string.Join(", ", words[..^1])} or {words[^1]}" : null;
    }

    private static string Path(Command command)
    {
        var names = new List<string>();
        for (Symbol? symbol = command; symbol is not null; symbol = symbol.Parents.FirstOrDefault())
        {
            names.Insert(0, symbol is RootCommand ? "spk" : symbol.Name);
        }

        return string.Join(' ', names);
    }

    private static IEnumerable<string> OptionNames(Command command) =>
        command.Options.Select(o => o.Name).Concat(GlobalOptions.All.Select(o => o.Name));

    private static string? Nearest(string token, IEnumerable<string> known)
    {
        var best = known.Select(name => (name, distance: Distance(token, name))).OrderBy(x => x.distance).FirstOrDefault();
        return best.name is not null && best.distance <= Math.Max(1, token.TrimStart('-').Length / 2) ? best.name : null;
    }

    /// <summary>Edits (insert, delete, replace, swap of neighbours) that turn one word into the other.</summary>
    internal static int Distance(string a, string b)
    {
        var table = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    table[i, j] = i + j;
                    continue;
                }

                int replace = table[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                table[i, j] = Math.Min(replace, 1 + Math.Min(table[i - 1, j], table[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    table[i, j] = Math.Min(table[i, j], table[i - 2, j - 2] + 1);
                }
            }
        }

        return table[a.Length, b.Length];
    }
}
