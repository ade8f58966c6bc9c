using Spk.Cli;
using Spk.Cli.Terminal;

LaunchedProcesses.KeepOutputPlain();
using var interruption = Interruption.Listen();
return SpkCommand.Invoke(args, Console.Out, Console.Error, interruption);
