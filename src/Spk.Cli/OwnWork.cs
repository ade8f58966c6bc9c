using System.CommandLine;
using System.CommandLine.Invocation;

namespace Spk.Cli;

/// <summary>Tells the parser that a verb with verbs below it also works without one. What it does is <see cref="Verb.Run"/>, called by <see cref="SpkCommand"/>.</summary>
internal sealed class OwnWork : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult) => throw new NotSupportedException("Verbs are run by SpkCommand.");
}
