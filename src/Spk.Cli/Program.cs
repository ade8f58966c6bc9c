using Spk.Cli;
using Spk.Cli.Terminal;

using var interruption = Interruption.Listen();
return SpkCommand.Invoke(args, Console.Out, Console.Error, interruption);
