using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Bench.Peers;

/// <summary>
/// The cases of the public libraries' benchmark scripts on our engine, a JSON line each with the same case names and units,
/// so that one run of either can be laid side by side; and single kernels with what they move and compute.
/// </summary>
internal static class PeerRun
{
    private const string Usage =
        "usage: peers [--device cpu|cuda[:N]] [--threads N] [--precision fp32,tf32,bf16] [--only PREFIX,...] [--budget SECONDS] [--save FILE]";

    // A call shorter than this is repeated between two looks at the clock, as a training loop would issue it.
    private const double LeastSeconds = 2e-3;
    private const int MostInner = 50;

    public static int Run(ReadOnlySpan<string> args)
    {
        int threads = 0;
        double budget = 4;
        string deviceName = "cpu";
        string[] only = [];
        string? save = null;
        Precision[]? precisions = null;
        for (int i = 0; i < args.Length; i += 2)
        {
            if (args[i] is "--help" or "-h" || i + 1 == args.Length)
            {
                Console.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }

            switch (args[i])
            {
                case "--device":
                    deviceName = args[i + 1];
                    break;
                case "--threads":
                    threads = int.Parse(args[i + 1], CultureInfo.InvariantCulture);
                    break;
                case "--precision":
                    precisions = [.. args[i + 1].Split(',').Select(p => Enum.Parse<Precision>(p, ignoreCase: true))];
                    break;
                case "--only":
                    only = args[i + 1].Split(',');
                    break;
                case "--budget":
                    budget = double.Parse(args[i + 1], CultureInfo.InvariantCulture);
                    break;
                case "--save":
                    save = args[i + 1];
                    break;
                default:
                    throw new InvalidOptionException($"Unknown option '{args[i]}'. {Usage}");
            }
        }

        threads = threads == 0 ? Environment.ProcessorCount : threads;
        precisions ??= deviceName == "cpu" ? [Precision.Fp32] : Enum.GetValues<Precision>();
        using var lines = save is null ? null : new StreamWriter(save) { AutoFlush = true };
        // Held for the whole run: making a GPU's context anew for every set takes longer than most sets.
        using var keptOpen = Device.Open(deviceName, threads);
        foreach (var make in PeerCases.All.Concat(KernelCases.All))
        {
            foreach (var precision in precisions)
            {
                using var device = Device.Open(deviceName, threads);
                device.Precision = precision;
                try
                {
                    RunSet(make(device), device, only, budget, lines);
                }
                catch (SpkException e)
                {
                    Write(new JsonObject { ["device"] = device.Name, ["precision"] = precision.ToString(), ["error"] = e.Message }.ToJsonString(), lines);
                }
            }
        }

        return 0;
    }

    private static void RunSet(PeerCaseSet set, Device device, string[] only, double budget, StreamWriter? lines)
    {
        foreach (var one in set.Cases)
        {
            if (only.Length > 0 && !only.Any(prefix => one.Name.StartsWith(prefix, StringComparison.Ordinal)))
            {
                continue;
            }

            // Arithmetic that does not depend on the precision is timed once.
            if (device.Precision != Precision.Fp32 && !set.HasProducts)
            {
                continue;
            }

            string line;
            try
            {
                line = Measure(one, device, budget);
            }
            catch (SpkException e)
            {
                line = new JsonObject { ["case"] = one.Name, ["params"] = one.Parameters, ["device"] = device.Name, ["error"] = e.Message }.ToJsonString();
            }

            Write(line, lines);
        }
    }

    private static void Write(string line, StreamWriter? lines)
    {
        Console.WriteLine(line);
        lines?.WriteLine(line);
    }

    private static string Measure(PeerCase one, Device device, double budget)
    {
        // Enough warm-up for the runtime's optimised code to be in place.
        var clock = Stopwatch.StartNew();
        double once = 0;
        for (int i = 0; i < 5 || clock.Elapsed.TotalSeconds < Math.Min(2, budget); i++)
        {
            once = Time(one, device, 1);
        }

        int inner = device is CpuDevice ? 1 : (int)Math.Clamp(LeastSeconds / Math.Max(1e-9, once), 1, MostInner);
        var times = new List<double>();
        clock.Restart();
        while (times.Count < 7 || clock.Elapsed.TotalSeconds < budget)
        {
            times.Add(Time(one, device, inner) / inner);
        }

        times.Sort();
        double median = times[times.Count / 2];
        var line = new JsonObject
        {
            ["case"] = one.Name,
            ["params"] = one.Parameters,
            ["device"] = device.Name,
            ["precision"] = device.Precision.ToString().ToLowerInvariant(),
            ["median_s"] = Math.Round(median, 8),
            ["min_s"] = Math.Round(times[0], 8),
            ["unit"] = one.Unit,
            ["throughput"] = Math.Round(one.Work / median, 3),
            ["reps"] = times.Count,
        };
        if (one.Bytes > 0)
        {
            line["gb_per_s"] = Math.Round(1e-9 * one.Bytes / median, 2);
        }

        if (one.Operations > 0)
        {
            line["tflop_per_s"] = Math.Round(1e-12 * one.Operations / median, 3);
        }

        if (Ceilings.Of(device) is { } ceilings && (one.Bytes > 0 || one.Operations > 0))
        {
            line["percent_of_bound"] = Math.Round(100 * ceilings.Bound(one.Bytes, one.Operations, device.Precision) / median, 1);
        }

        return line.ToJsonString();
    }

    private static double Time(PeerCase one, Device device, int inner)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < inner; i++)
        {
            one.Run();
        }

        device.Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
