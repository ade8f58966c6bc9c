using Spectre.Console;
using Spk.Engine.Devices;

namespace Spk.Cli.Terminal;

/// <summary>Whether someone is watching, and the console that draws for them.</summary>
internal static class Screen
{
    /// <summary>How often a plain log gets a line.</summary>
    public static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    /// <summary>True where the error stream is a terminal that can redraw a line.</summary>
    public static bool IsLive(TextWriter error) =>
        ReferenceEquals(error, Console.Error)
        && !Console.IsErrorRedirected
        && Environment.GetEnvironmentVariable("TERM") != "dumb"
        && Environment.GetEnvironmentVariable("CI") is null or "";

    /// <summary>Draws on the error stream, so that standard output holds results only.</summary>
    public static IAnsiConsole Open(TextWriter error) =>
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error), Interactive = InteractionSupport.Yes });

    /// <summary>A line of words, with a bar before it where the terminal is wide enough for both.</summary>
    public static Progress Bar(IAnsiConsole console)
    {
        var words = new TaskDescriptionColumn { Alignment = Justify.Left };
        ProgressColumn[] columns = console.Profile.Width < 110 ? [words] : [new ProgressBarColumn { Width = 20 }, new PercentageColumn(), words];
        return console.Progress().AutoClear(true).HideCompleted(false).Columns(columns);
    }

    /// <summary>Hours, minutes and seconds as people write them: "250 ms", "42 s", "3:05", "1:02:03".</summary>
    public static string Duration(TimeSpan time) => time.TotalSeconds switch
    {
        > 0 and < 1 => $"{time.TotalMilliseconds:F0} ms",
        < 60 => $"{time.TotalSeconds:F0} s",
        < 3600 => $"{(int)time.TotalMinutes}:{time.Seconds:D2}",
        _ => $"{(int)time.TotalHours}:{time.Minutes:D2}:{time.Seconds:D2}",
    };

    /// <summary>What a device's memory was used for, in MiB.</summary>
    public static string Memory(in DeviceMemory memory)
    {
        string free = memory.Free is { } bytes ? $", {bytes >> 20} MiB free" : "";
        return $"{memory.Persistent >> 20} MiB for parameters and tables, {memory.Reserved >> 20} MiB reserved for a step ({memory.Peak >> 20} used){free}";
    }

    /// <summary>A fraction as per cent with two decimals, the way error rates are quoted.</summary>
    public static string Percent(double fraction) => $"{100 * fraction:F2} %";
}
