using System.Diagnostics;
using Spectre.Console;
using Spk.Training.Data;

namespace Spk.Cli.Terminal;

/// <summary>Shows how far a countable piece of work is: a bar on a terminal, a line every few seconds anywhere else.</summary>
internal sealed class WorkDisplay : IProgress<DataProgress>
{
    private readonly CommandContext _context;
    private readonly string _title;
    private readonly ProgressTask? _task;
    private readonly Lock _lock = new();
    private long _shown = Stopwatch.GetTimestamp();

    private WorkDisplay(CommandContext context, string title, ProgressTask? task) => (_context, _title, _task) = (context, title, task);

    /// <summary>Does the work while showing it.</summary>
    public static T Run<T>(CommandContext context, string title, Func<WorkDisplay, T> work)
    {
        if (context.Quiet || !Screen.IsLive(context.Error))
        {
            return work(new WorkDisplay(context, title, null));
        }

        return Screen.Bar(Screen.Open(context.Error)).Start(live => work(new WorkDisplay(context, title, live.AddTask(Markup.Escape(title)))));
    }

    /// <inheritdoc/>
    public void Report(DataProgress value)
    {
        lock (_lock)
        {
            if (_task is not null)
            {
                _task.MaxValue = Math.Max(1, value.Total);
                _task.Value = value.Done;
                _task.Description = $"{Markup.Escape(_title)} {value.Done} of {value.Total}";
            }
            else if (Stopwatch.GetElapsedTime(_shown) >= Screen.PlainInterval)
            {
                _shown = Stopwatch.GetTimestamp();
                _context.Note($"{_title}: {value.Done} of {value.Total}");
            }
        }
    }
}
