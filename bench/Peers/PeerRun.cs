using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Interop;

namespace Spk.Bench.Peers;

/// <summary>
/// The cases of the public libraries' benchmark scripts on our engine, a JSON line each with the same case names and units,
/// so that one run of either can be laid side by side:
/// <c>dotnet run -c Release --project bench -- peers [--threads N] [--only PREFIX,…] [--budget SECONDS]</c>.
/// </summary>
internal static class PeerRun
{
    public static void Run(ReadOnlySpan<string> args)
    {
        int threads = 0;
        double budget = 4;
        string[] only = [];
        for (int i = 0; i + 1 < args.Length; i += 2)
        {
            switch (args[i])
            {
                case "--threads":
                    threads = int.Parse(args[i + 1], CultureInfo.InvariantCulture);
                    break;
                case "--only":
                    only = args[i + 1].Split(',');
                    break;
                case "--budget":
                    budget = double.Parse(args[i + 1], CultureInfo.InvariantCulture);
                    break;
                default:
                    throw new InvalidOptionException($"Unknown option '{args[i]}': allowed are --threads, --only and --budget.");
            }
        }

        threads = threads == 0 ? Environment.ProcessorCount : threads;
        foreach (var make in PeerCases.All)
        {
            using var set = make(threads);
            foreach (var one in set.Cases)
            {
                if (only.Length == 0 || only.Any(prefix => one.Name.StartsWith(prefix, StringComparison.Ordinal)))
                {
                    Console.WriteLine(Measure(one, threads, budget));
                }
            }
        }
    }

    private static string Measure(PeerCase one, int threads, double budget)
    {
        // Enough warm-up for the runtime's optimised code to be in place.
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < 5 || clock.Elapsed.TotalSeconds < Math.Min(2, budget); i++)
        {
            one.Run();
        }

        var times = new List<double>();
        clock.Restart();
        while (times.Count < 7 || clock.Elapsed.TotalSeconds < budget)
        {
            long start = Stopwatch.GetTimestamp();
            one.Run();
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        times.Sort();
        double median = times[times.Count / 2];
        return new JsonObject
        {
            ["case"] = one.Name,
            ["params"] = one.Parameters,
            ["threads"] = threads,
            ["median_s"] = Math.Round(median, 8),
            ["min_s"] = Math.Round(times[0], 8),
            ["unit"] = one.Unit,
            ["throughput"] = Math.Round(one.Work / median, 3),
            ["reps"] = times.Count,
        }.ToJsonString();
    }
}

/// <summary>One timed call.</summary>
/// <param name="Name">The peers' name of the case.</param>
/// <param name="Parameters">Sizes, for the reader.</param>
/// <param name="Unit">Unit of work per second.</param>
/// <param name="Work">Work of one call, in the unit.</param>
/// <param name="Run">The call.</param>
internal sealed record PeerCase(string Name, string Parameters, string Unit, double Work, Action Run);

/// <summary>Cases that share a device and its tensors.</summary>
internal sealed class PeerCaseSet(Engine.Devices.CpuDevice device, IReadOnlyList<PeerCase> cases) : IDisposable
{
    public IReadOnlyList<PeerCase> Cases { get; } = cases;

    public void Dispose() => device.Dispose();
}
