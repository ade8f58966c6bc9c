using System.CommandLine;

namespace Spk.Cli;

/// <summary>Options that every verb understands.</summary>
internal static class GlobalOptions
{
    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Print the figures as one JSON object on standard output; everything else goes to standard error.",
        Recursive = true,
    };

    public static readonly Option<string> Device = new("--device")
    {
        Description = "Where to compute: auto, cpu or cuda[:N]. An explicit choice is never silently replaced.",
        HelpName = "D",
        DefaultValueFactory = _ => "auto",
        Recursive = true,
    };

    public static readonly Option<int> Threads = new("--threads")
    {
        Description = "CPU threads; 0 for all. Results do not depend on it.",
        HelpName = "N",
        DefaultValueFactory = _ => 0,
        Recursive = true,
    };

    public static readonly Option<bool> Quiet = new("--quiet", "-q")
    {
        Description = "No progress and no remarks; errors and results only.",
        Recursive = true,
    };

    public static readonly Option<bool> Verbose = new("--verbose")
    {
        Description = "More detail, and the stack trace of a failure.",
        Recursive = true,
    };

    public static IEnumerable<Option> All => [Json, Device, Threads, Quiet, Verbose];
}
