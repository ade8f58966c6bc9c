using System.CommandLine;

namespace Spk.Cli;

/// <summary>One verb of the command line: its options, its examples and what it does.</summary>
/// <param name="name">The word typed after <c>spk</c>.</param>
/// <param name="description">One or two sentences for the help.</param>
internal abstract class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Commands that work as they stand, shown at the end of the help.</summary>
    public abstract IReadOnlyList<string> Examples { get; }

    /// <summary>Whether the processes that <c>mpirun</c> starts share the work. All others would each do the same, into the same files.</summary>
    public virtual bool SharesWork => false;

    /// <summary>Does the work; failures are exceptions and become exit codes in <see cref="SpkCommand"/>.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="context">Streams, global options and the stop signal.</param>
    /// <returns>The exit code.</returns>
    public abstract int Run(ParseResult options, CommandContext context);
}
