using System.CommandLine;

namespace Spk.Cli.Verbs;

/// <summary>Groups what is done to corpora.</summary>
internal sealed class DataVerb : Command
{
    public DataVerb() : base("data", "Check a corpus, pack it into one file, or make a synthetic one.")
    {
        Subcommands.Add(new DataCheckVerb());
        Subcommands.Add(new DataPackVerb());
        Subcommands.Add(new DataSynthVerb());
    }
}
