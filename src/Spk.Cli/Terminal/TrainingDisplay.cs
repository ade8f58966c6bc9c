using System.Diagnostics;
using Spectre.Console;
using Spk.Training;

namespace Spk.Cli.Terminal;

/// <summary>Shows a training: a live line on a terminal, plain lines anywhere else, nothing with --quiet but warnings.</summary>
internal sealed class TrainingDisplay : ITrainingProgress
{
    // A terminal is redrawn about as often; more would only cost time.
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(200);

    private readonly CommandContext _context;
    private readonly IAnsiConsole? _console;
    private readonly ProgressTask? _task;
    private long _shown;
    private int _batchesPerEpoch = int.MaxValue;

    private TrainingDisplay(CommandContext context, IAnsiConsole? console, ProgressTask? task) =>
        (_context, _console, _task) = (context, console, task);

    /// <summary>Runs a training while showing it.</summary>
    public static T Run<T>(CommandContext context, Func<ITrainingProgress, T> train)
    {
        if (context.Quiet || !Screen.IsLive(context.Error))
        {
            return train(new TrainingDisplay(context, null, null));
        }

        var console = Screen.Open(context.Error);
        return Screen.Bar(console).Start(live => train(new TrainingDisplay(context, console, live.AddTask("preparing"))));
    }

    /// <inheritdoc/>
    public void Started(TrainingStart start)
    {
        string speakers = start.Speakers > 0 ? $" of {start.Speakers} speakers" : "";
        Line($"{start.Utterances} utterances{speakers}, {start.Parameters:N0} parameters, {start.Steps} steps, {start.Device}");
        if (start.FirstStep > 0)
        {
            Line($"resuming after step {start.FirstStep}");
        }

        Line($"run folder: {start.RunFolder}");
        _batchesPerEpoch = start.BatchesPerEpoch;
        _task?.MaxValue(start.Steps);
        _shown = Stopwatch.GetTimestamp();
    }

    /// <inheritdoc/>
    public void Stepped(in TrainingStatus status)
    {
        bool epochEnds = status.Step % _batchesPerEpoch == 0;
        var interval = _task is null ? Screen.PlainInterval : LiveInterval;
        if (!epochEnds && status.Step < status.Steps && Stopwatch.GetElapsedTime(_shown) < interval)
        {
            return;
        }

        _shown = Stopwatch.GetTimestamp();
        string line = $"epoch {status.Epoch}/{status.Epochs} step {status.Step}/{status.Steps} loss {status.EpochLoss:F3} "
            + $"{status.UtterancesPerSecond:F0} utterances/s data {100 * status.DataShare:F0}% {status.DeviceBytes >> 20} MiB "
            + $"{Screen.Duration(status.Remaining)} left";
        if (_task is null)
        {
            _context.Note(line);
            return;
        }

        _task.Value = status.Step;
        _task.Description = Markup.Escape(line);
    }

    /// <inheritdoc/>
    public void Epoch(TrainingEpoch epoch) =>
        Line($"after epoch {epoch.Epoch}: {string.Join(", ", epoch.Figures.Where(f => double.IsFinite(f.Value)).Select(f => $"{f.Name} {f.Value:F3}"))}");

    /// <inheritdoc/>
    public void Evaluated(in TrainingEvaluation evaluation)
    {
        string best = evaluation.IsBest ? "  (best so far)" : "";
        string when = evaluation.Step == 0 ? "before training" : $"after epoch {evaluation.Epoch}";
        Line($"{when}: EER {Screen.Percent(evaluation.Eer)}, minDCF(0.01) {evaluation.MinDcf:F3} on {evaluation.Trials}{best}");
    }

    /// <inheritdoc/>
    public void Warned(string message)
    {
        if (_console is null)
        {
            _context.Error.WriteLine($"warning: {message}");
        }
        else
        {
            _console.WriteLine($"warning: {message}");
        }
    }

    /// <inheritdoc/>
    public void Saved(string path)
    {
        if (_context.Verbose)
        {
            Line($"saved {path}");
        }
    }

    private void Line(string text)
    {
        if (_console is null)
        {
            _context.Note(text);
        }
        else
        {
            _console.WriteLine(text);
        }
    }
}
