namespace Spk.Cli;

/// <summary>What the process tells its caller. The help and the README list the same numbers.</summary>
internal static class ExitCode
{
    public const int Ok = 0;

    public const int Failure = 1;

    public const int Usage = 2;

    public const int DataProblems = 3;

    /// <summary>128 + SIGINT, as shells report it.</summary>
    public const int Interrupted = 130;

    /// <summary>128 + SIGTERM, as shells report it.</summary>
    public const int Terminated = 143;

    public const string ShortHelp = "Exit codes: 0 done, 1 failure, 2 wrong usage, 3 problems in the data, 130/143 interrupted (see 'spk --help').";

    public const string Help =
        """
        Exit codes:
          0    done
          1    failure; one sentence on standard error says what and how to fix it (--verbose adds the stack trace)
          2    wrong usage: an unknown verb, option or recipe field, or a value outside what is allowed
          3    problems were found in the data
          130  interrupted by Ctrl+C (SIGINT); a running training has written a checkpoint
          143  ended by SIGTERM; a running training has written a checkpoint
        """;
}
