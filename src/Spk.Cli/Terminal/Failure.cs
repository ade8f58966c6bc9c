using Spk.Interop;

namespace Spk.Cli.Terminal;

/// <summary>Turns an exception into one sentence and an exit code.</summary>
internal static class Failure
{
    public static int Report(Exception exception, TextWriter error, bool verbose, Interruption interruption)
    {
        var cause = exception;
        while (cause is AggregateException or System.Reflection.TargetInvocationException or TypeInitializationException && cause.InnerException is { } inner)
        {
            cause = inner;
        }

        (int code, string sentence) = cause switch
        {
            OperationCanceledException => (interruption.ExitCode, "Interrupted."),
            InvalidOptionException => (ExitCode.Usage, cause.Message),
            SpkException => (ExitCode.Failure, cause.Message),
            UnauthorizedAccessException => (ExitCode.Failure, $"{cause.Message} Check the permissions, or choose another folder."),
            IOException => (ExitCode.Failure, cause.Message),
            OutOfMemoryException => (ExitCode.Failure, "Out of memory: use a smaller batch or shorter crops, or close other programs."),
            _ => (ExitCode.Failure, $"Unexpected {cause.GetType().Name}: {cause.Message} This is a defect of spk; --verbose prints the stack trace for a report."),
        };

        error.WriteLine($"error: {OneLine(sentence)}");
        if (verbose)
        {
            error.WriteLine(exception.ToString());
        }

        return code;
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[])['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
