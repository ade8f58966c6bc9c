using System.CommandLine;

namespace Spk.Cli.Verbs;

/// <summary>Groups what makes two models work on one set of profiles.</summary>
internal sealed class AlignVerb : Command
{
    public AlignVerb() : base("align", "Compare profiles of an old model with recordings embedded by a new one: learn an aligner, apply it, and measure what it recovers.")
    {
        Subcommands.Add(new AlignTrainVerb());
        Subcommands.Add(new AlignApplyVerb());
        Subcommands.Add(new AlignEvalVerb());
    }
}
