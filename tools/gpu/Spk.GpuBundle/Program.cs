using Spk.Cli;
using Spk.Cli.Terminal;
using Spk.GpuBundle;

// One file for a machine that has a GPU and a driver but no .NET: `tests` runs the project's tests, anything
// else is spk itself.
if (args is ["tests", ..])
{
    return TestRun.Run(args.AsSpan(1));
}

using var interruption = Interruption.Listen();
return SpkCommand.Invoke(args, Console.Out, Console.Error, interruption);
