using BenchmarkDotNet.Running;
using Spk.Bench.Peers;

if (args is ["peers", ..])
{
    PeerRun.Run(args.AsSpan(1));
}
else
{
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
}
