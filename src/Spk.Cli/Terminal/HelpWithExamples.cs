using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Spk.Cli.Terminal;

/// <summary>The usual help, followed by the verb's examples and, for the tool itself, the exit codes.</summary>
internal sealed class HelpWithExamples(HelpAction standard) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int result = standard.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        var command = parseResult.CommandResult.Command;
        var examples = command is Verb verb ? verb.Examples : command is RootCommand ? SpkCommand.Examples : [];
        if (examples.Count > 0)
        {
            output.WriteLine("Examples:");
            foreach (string example in examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
        }

        if (command is RootCommand)
        {
            output.WriteLine(ExitCode.Help);
        }
        else if (command is Verb)
        {
            output.WriteLine(ExitCode.ShortHelp);
        }

        return result;
    }
}
