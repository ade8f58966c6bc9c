using System.CommandLine;
using Spk.Cli.Terminal;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Interop;
using Spk.Interop.Mpi;

namespace Spk.Cli;

/// <summary>
/// Work of the processes that <c>mpirun</c> started: where one fails, it says why and ends the others; where one is gone, the others say so and end.
/// </summary>
internal static class LaunchedProcesses
{
    // mpirun asks the processes that are left to end when one has died, and kills them so many seconds later.
    private const string PatienceVariable = "OMPI_MCA_odls_base_sigkill_timeout";
    private const int UsualPatience = 1;

    // What is wrong is wrong everywhere as a rule, and one message is enough: that of rank 0, after which mpirun ends the others.
    private static readonly TimeSpan LeadTime = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Keeps .NET from writing control sequences for the terminal that <c>mpirun</c> makes of every process's standard output. Call it ahead of
    /// everything that touches the console.
    /// </summary>
    public static void KeepOutputPlain()
    {
        if (MpiLibrary.LaunchedRanks > 1)
        {
            Environment.SetEnvironmentVariable("TERM", "dumb");
        }
    }

    /// <summary>Keeps verbs whose processes would only get in each other's way from being started several times.</summary>
    /// <exception cref="InvalidOptionException">The verb is one of them.</exception>
    public static void RequireSharedWork(Verb verb)
    {
        if (MpiLibrary.LaunchedRanks > 1 && !verb.SharesWork)
        {
            string group = verb.Parents.OfType<Command>().FirstOrDefault(parent => parent is not RootCommand) is { } command ? $"{command.Name} " : "";
            throw new InvalidOptionException($"spk {group}{verb.Name} works in one process: start it without mpirun, which started {MpiLibrary.LaunchedRanks}.");
        }
    }

    /// <summary>The device that this process takes where one is asked for: of the GPUs of a machine, each process has its own.</summary>
    /// <param name="name">As for <c>--device</c>.</param>
    /// <param name="threads">CPU worker threads.</param>
    /// <param name="reason">Why this device.</param>
    public static Device OpenDevice(string name, int threads, out string reason)
    {
        int rank = MpiLibrary.LaunchedLocalRank;
        var device = Device.Open(name == "cuda" && MpiLibrary.LaunchedRanks > 1 ? $"cuda:{rank}" : name, threads, out reason);
        if (name != "auto" || rank == 0 || device is CpuDevice)
        {
            return device;
        }

        device.Dispose();
        try
        {
            return Device.Open($"cuda:{rank}", threads, out _);
        }
        catch (DeviceUnavailableException e)
        {
            throw new DeviceUnavailableException($"{e.Message} Each process takes a GPU of its own: start as many as there are, or use --device cpu.", e);
        }
    }

    /// <summary>Connects a process's device with those of the others.</summary>
    /// <param name="processes">The processes.</param>
    /// <param name="device">This one's device.</param>
    /// <returns>What to dispose ahead of the device; null for nothing.</returns>
    /// <exception cref="InvalidOptionException">Some of the processes have a GPU and others have none.</exception>
    public static IDisposable? Connect(Collective processes, Device device)
    {
        // Ahead of everything that only processes with a GPU exchange.
        if (processes.Ranks > 1 && !processes.Agrees(device is CudaDevice ? 1 : 0))
        {
            throw new InvalidOptionException($"Of the {processes.Ranks} processes some have a GPU and others have none: use --device cpu, or start them where each has one.");
        }

        var gpus = processes.Ranks > 1 && device is CudaDevice cuda ? NcclCollective.Connect(processes, cuda) : null;
        device.Collective = gpus ?? processes;
        return gpus;
    }

    /// <summary>Where an error message goes: rank 0 speaks first, and others only if they are not ended meanwhile.</summary>
    /// <param name="error">The error stream.</param>
    /// <param name="stop">How this process is asked to end.</param>
    public static TextWriter LastWord(TextWriter error, CancellationToken stop) =>
        MpiLibrary.LaunchedRank > 0 && stop.WaitHandle.WaitOne(LeadTime) ? TextWriter.Null : error;

    /// <summary>Does this process's part.</summary>
    /// <param name="context">Streams and the stop signal.</param>
    /// <param name="whatIsLeft">What a process says that ends because others are gone: what there is to go on from.</param>
    /// <param name="work">The part; is told of the other processes.</param>
    /// <returns>The exit code.</returns>
    public static int Run(CommandContext context, Func<string> whatIsLeft, Func<Collective, int> work)
    {
        using var processes = MpiCollective.OfLaunch();
        if (processes is null)
        {
            return work(Collective.Alone);
        }

        var hasSpoken = new Once();
        using var watch = context.Stop.Register(() => new Thread(() => EndWithTheOthers(processes, context, whatIsLeft, hasSpoken)) { IsBackground = true }.Start());
        try
        {
            if (processes.IsLead)
            {
                context.Note($"{processes.Ranks} processes work together");
            }

            return work(processes);
        }
#pragma warning disable CA1031 // The others wait for this process, so that nothing may pass without ending them.
        catch (Exception e) when (LetGo(processes))
#pragma warning restore CA1031
        {
            if (!hasSpoken.Enter())
            {
                Thread.Sleep(Timeout.Infinite); // The other thread said why, broke off what this one waited for, and ends the process.
            }

            int code = Failure.Report(e, LastWord(context.Error, context.Stop), context.Verbose, context.Interruption);
            context.Error.Flush();
            processes.Abort(code);
            return code;
        }
    }

    // A process that waits for a dead one never hears of it: only the stop signal, and a wait that does not end, tell.
    private static void EndWithTheOthers(MpiCollective processes, CommandContext context, Func<string> whatIsLeft, Once hasSpoken)
    {
        // Long enough that a process which is only slow is not taken for dead, and in time for a last word.
        int patience = int.TryParse(Environment.GetEnvironmentVariable(PatienceVariable), out int seconds) && seconds > 0 ? seconds : UsualPatience;
        var longestWait = TimeSpan.FromSeconds(0.4 * patience);
        while (processes.Waiting < longestWait)
        {
            Thread.Sleep(50);
        }

        if (!hasSpoken.Enter())
        {
            return;
        }

        context.Error.WriteLine($"error: Process {processes.Rank} ends, because another process has ended or does not answer: {whatIsLeft()}.");
        context.Error.Flush();
        LetGo(processes);
        Environment.Exit(ExitCode.Failure);
    }

    // As a filter of exceptions it runs ahead of all clean-up: to leave NCCL's group in order takes all processes, and others may wait for this one
    // elsewhere. Giving the group up may wait, too, for recorded work that is never run again.
    private static bool LetGo(MpiCollective processes)
    {
        var leaving = new Thread(processes.Abandon) { IsBackground = true };
        leaving.Start();
        leaving.Join(LeadTime);
        return true;
    }

    /// <summary>Lets the first of several threads through.</summary>
    private sealed class Once
    {
        private int _entered;

        public bool Enter() => Interlocked.Exchange(ref _entered, 1) == 0;
    }
}
