using System.Runtime.InteropServices;

namespace Spk.Cli.Terminal;

/// <summary>
/// Turns the first Ctrl+C or SIGTERM into a cancellation, so that a training can write its checkpoint; a second one ends the
/// process at once.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private volatile int _exitCode = Spk.Cli.ExitCode.Interrupted;

    public CancellationToken Token => _source.Token;

    /// <summary>The exit code that names the signal.</summary>
    public int ExitCode => _exitCode;

    /// <summary>Watches the process's signals.</summary>
    public static Interruption Listen()
    {
        var interruption = new Interruption();
        interruption._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, c => interruption.On(c, Spk.Cli.ExitCode.Interrupted)));
        interruption._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => interruption.On(c, Spk.Cli.ExitCode.Terminated)));
        return interruption;
    }

    /// <summary>Acts as if the signal had arrived.</summary>
    public void Raise(int exitCode = Spk.Cli.ExitCode.Interrupted)
    {
        _exitCode = exitCode;
        _source.Cancel();
    }

    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }

        _source.Dispose();
    }

    private void On(PosixSignalContext context, int exitCode)
    {
        if (_source.IsCancellationRequested)
        {
            return;
        }

        context.Cancel = true;
        Raise(exitCode);
    }
}
