using System.Globalization;
using Spk.Training.Benchmarks;

namespace Spk.Cli.Terminal;

/// <summary>Benchmarks as lines of a table.</summary>
internal static class BenchmarkText
{
    private const int NameWidth = 36, SizesWidth = 54;

    /// <summary>The head of the table.</summary>
    public static string Head(bool peers) =>
        $"{"case",-NameWidth}{"sizes",-SizesWidth}{"median",10}{"10 to 90 %",20}{"GB/s",8}{"GFLOP/s",9}{"of bound",10}{"allocated",11}{(peers ? $"{"of fastest peer",17}" : "")}";

    /// <summary>A result; <paramref name="ratio"/> is our throughput over the fastest peer's.</summary>
    public static string Line(BenchmarkResult result, double? ratio)
    {
        string name = result.Precision == Engine.Devices.Precision.Fp32 ? result.Name : $"{result.Name} {result.Precision.ToString().ToLowerInvariant()}";
        string share = result.ShareOfBound is { } s ? string.Create(CultureInfo.InvariantCulture, $"{100 * s:F1} %") : "-";
        string peer = ratio is { } r ? string.Create(CultureInfo.InvariantCulture, $"{r:F2} x") : "";
        return (name.PadRight(NameWidth) + result.SizesText.PadRight(SizesWidth)
            + $"{BenchmarkFormat.Time(result.Median),10}{BenchmarkFormat.Time(result.Fast) + " - " + BenchmarkFormat.Time(result.Slow),20}{Rate(result.Bytes, result.Median),8}{Rate(result.Operations, result.Median),9}{share,10}"
            + $"{Bytes(result.AllocatedBytes),11}{peer,17}").TrimEnd();
    }

    /// <summary>What became of a comparison, slower cases last.</summary>
    public static void Print(IReadOnlyList<ComparedBenchmark> compared, double allowed, TextWriter output)
    {
        output.WriteLine();
        foreach (var one in compared.OrderBy(c => c.Times.Ratio))
        {
            string verdict = one.Slower ? "SLOWER" : one.Overloaded ? "slower? the machine was overloaded" : one.Times.Ratio < 1 / (1 + allowed) ? "faster" : "";
            string times = $"{BenchmarkFormat.Time(one.Times.Before),9} -> {BenchmarkFormat.Time(one.Times.Now),9}";
            string again = one.Measurements > 1 ? $"  (measured {one.Measurements} times)" : "";
            string varied = one.BaselineSpread > allowed ? string.Create(CultureInfo.InvariantCulture, $"  (varied by {100 * one.BaselineSpread:F0} % in the baseline)") : "";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{one.Times.Ratio,6:F2}  {times}  {one.Result.Key}{again}{varied}  {verdict}").TrimEnd());
        }

        int byProcessor = compared.Count(c => !c.Times.ByClock);
        if (byProcessor > 0)
        {
            double[] waited = [.. compared.Select(c => c.Result.Pace?.Waited ?? 0).Order()];
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{byProcessor} of them by their fastest call or, above 3 ms, by processor time: the machine was busy, each thread waited {waited[waited.Length / 2]:F2} s a second; what the clock would tell, such as a lost thread, stays unseen"));
        }
    }

    private static string Rate(double count, double seconds) =>
        count > 0 ? (1e-9 * count / seconds).ToString(count / seconds >= 1e11 ? "F0" : "F1", CultureInfo.InvariantCulture) : "-";

    private static string Bytes(double bytes) => bytes < 0.5 ? "0 B" : bytes < 10_000 ? $"{bytes:F0} B" : $"{bytes / 1024:F0} KiB";
}
