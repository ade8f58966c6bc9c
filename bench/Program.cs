using BenchmarkDotNet.Running;
using Spk.Bench.Peers;

if (args is ["peers", ..])
{
    return PeerRun.Run(args.AsSpan(1));
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
