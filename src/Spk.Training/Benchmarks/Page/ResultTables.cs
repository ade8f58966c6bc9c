using System.Globalization;
using System.Text;
using Spk.Engine.Devices;
using Spk.Training.Benchmarks.Scaling;
using Spk.Training.Reports;

namespace Spk.Training.Benchmarks.Page;

/// <summary>The generated parts of a section: the machine, the commands, and the tables.</summary>
internal static class ResultTables
{
    private static readonly string[] MachineFacts = ["device", "processor", "caches", "vectors", "memory", "system", "runtime", "at most", "cache"];

    /// <summary>The machine and the runs.</summary>
    public static void Machine(StringBuilder text, ResultSection section)
    {
        if (section.Runs.Count == 0)
        {
            return;
        }

        var first = section.Runs[0].File.Machine;
        foreach (var (name, value) in first.Where(f => MachineFacts.Contains(f.Key) || f.Key.StartsWith("cuda", StringComparison.Ordinal)))
        {
            text.Append(CultureInfo.InvariantCulture, $"- {name}: {value}\n");
        }

        foreach (var (label, file) in section.Runs)
        {
            string busy = Busy(file.Results.Where(r => r.Pace is not null).Select(r => r.Pace!.Value.Waited));
            text.Append(CultureInfo.InvariantCulture, $"- run {label}: {file.Machine.GetValueOrDefault("date", "no date")}, `{file.Machine.GetValueOrDefault("command", "spk bench")}`{busy}\n");
        }

        foreach (var (label, lines) in section.PeerRuns)
        {
            text.Append(CultureInfo.InvariantCulture, $"- peers, run {label}: {lines.Description ?? "the same machine"}\n");
        }

        text.Append('\n');
    }

    /// <summary>Our throughput beside the fastest peer's, for every case that a peer has; nothing where there is none.</summary>
    public static void Peers(StringBuilder text, ResultSection section)
    {
        var rows = new List<IReadOnlyList<ReportCell>>();
        foreach (var (result, ours) in Cases(section))
        {
            var peers = section.PeerRuns.Select(p => p.Lines.Fastest(result, ThreadsOf(section))).ToArray();
            if (peers.OfType<PeerLine>().MaxBy(p => p.Throughput) is not { } best)
            {
                continue;
            }

            var same = section.Runs.Select((run, i) => (Ours: ours[i], Peer: section.PeerRuns.FirstOrDefault(p => p.Label == run.Label).Lines?.Fastest(result, ThreadsOf(section)))).ToArray();
            double highest = ours.OfType<BenchmarkResult>().Max(r => r.Throughput);
            rows.Add(
            [
                Name(result), result.SizesText, result.Unit, best.Case,
                ReportCell.Number(Slashed(same.Select(s => s.Peer is { } peer ? BenchmarkFormat.Rate(peer.Throughput) : "–"))),
                ReportCell.Number(Slashed(same.Select(s => Percent(s.Peer?.Spread)))),
                ReportCell.Number(Slashed(ours.Select(r => r is null ? "–" : BenchmarkFormat.Rate(r.Throughput)))),
                ReportCell.Number(Slashed(ours.Select(r => Percent(r is { Least: > 0 } ? (r.Median / r.Least) - 1 : null)))),
                ReportCell.Number(Slashed(same.Select(s => s is { Ours: { } our, Peer: { } peer } ? Ratio(our.Throughput / peer.Throughput) : "–"))),
                ReportCell.Number(Ratio(highest / best.Throughput)),
            ]);
        }

        if (rows.Count > 0)
        {
            MarkdownTable.Append(text, ["case", "sizes", "unit", "fastest peer", "peer", "spread", "ours", "spread", "ratio, run by run", "our best to the peers' best"], rows);
        }
    }

    /// <summary>Every case: time, spread, rates.</summary>
    public static void All(StringBuilder text, ResultSection section)
    {
        var rows = new List<IReadOnlyList<ReportCell>>();
        foreach (var (_, all) in Cases(section))
        {
            var runs = all.OfType<BenchmarkResult>().ToArray();
            var best = runs.MinBy(r => r.Median)!;
            rows.Add(
            [
                Name(best), best.SizesText,
                ReportCell.Number(Slashed(all.Select(r => r is null ? "–" : BenchmarkFormat.Time(r.Median)))),
                ReportCell.Number($"{BenchmarkFormat.Time(runs.Min(r => r.Fast))} – {BenchmarkFormat.Time(runs.Max(r => r.Slow))}"),
                ReportCell.Number(runs.Min(r => r.Least) is > 0 and { } least ? BenchmarkFormat.Time(least) : "–"),
                ReportCell.Number(runs.Sum(r => r.Calls).ToString("#,0", CultureInfo.InvariantCulture)),
                ReportCell.Number(PerSecond(best.Bytes, best)), ReportCell.Number(PerSecond(best.Operations, best)),
                ReportCell.Number(best.ShareOfBound is { } share ? (100 * share).ToString("F0", CultureInfo.InvariantCulture) + " %" : "–"),
                ReportCell.Number(BenchmarkFormat.Bytes(runs.Min(r => r.AllocatedBytes))),
            ]);
        }

        if (rows.Count > 0)
        {
            MarkdownTable.Append(text, ["case", "sizes", "median", "10 to 90 %", "fastest", "calls", "GB/s", "GFLOP/s", "of the machine's peak", "allocated"], rows);
        }
    }

    /// <summary>One line for each curve.</summary>
    public static void Curves(StringBuilder text, ScalingFile file)
    {
        text.Append(CultureInfo.InvariantCulture, $"{file.Machine.GetValueOrDefault("date", "no date")}, {file.Machine.GetValueOrDefault("processor", "")}, {file.Machine.GetValueOrDefault("device", "")}: `{file.Machine.GetValueOrDefault("command", "spk bench scaling")}`{Busy(file.Curves.SelectMany(c => c.Points).Select(p => p.Waited).OfType<double>())}\n\n");
        MarkdownTable.Append(text, ["curve", "what is timed", "varied", "time", "power", "power, larger half", "memory", "power, larger half"],
        [
            .. file.Curves.Select(c => (IReadOnlyList<ReportCell>)
            [
                $"`{c.Name}`", c.Summary, string.Create(CultureInfo.InvariantCulture, $"{c.SizeName}, {c.Points[0].Size:#,0} – {c.Points[^1].Size:#,0}"),
                ReportCell.Number($"{BenchmarkFormat.Time(c.Points[0].Median)} – {BenchmarkFormat.Time(c.Points[^1].Median)}"),
                ReportCell.Number(ScalingReport.Power(c.TimeExponent)), ReportCell.Number(ScalingReport.Power(c.TimeExponentOfLarger)),
                ReportCell.Number($"{BenchmarkFormat.Bytes(c.Points[0].Bytes)} – {BenchmarkFormat.Bytes(c.Points[^1].Bytes)}"),
                ReportCell.Number(ScalingReport.Power(c.MemoryExponentOfLarger)),
            ]),
        ]);
    }

    // All cases of all runs in the order of their first appearance, each with its result in every run.
    private static IEnumerable<(BenchmarkResult Case, BenchmarkResult?[] Runs)> Cases(ResultSection section) =>
        from result in section.Runs.SelectMany(r => r.File.Results).DistinctBy(r => r.Key)
        select (result, section.Runs.Select(r => r.File.Find(result.Key)).ToArray());

    // Busy or idle by the median over cases; how many were disturbed, and how much, is said too.
    private static string Busy(IEnumerable<double> waited)
    {
        double[] sorted = [.. waited.Order()];
        if (sorted.Length == 0)
        {
            return "";
        }

        double median = sorted[sorted.Length / 2];
        int disturbed = sorted.Count(w => w >= MachinePace.IdleWaiting);
        return median >= MachinePace.IdleWaiting ? string.Create(CultureInfo.InvariantCulture, $"; the machine was busy, each thread waited {median:F2} s a second, in one case {sorted[^1]:F2}")
            : disturbed == 0 ? "; the machine was idle"
            : string.Create(CultureInfo.InvariantCulture, $"; the machine was idle but for {disturbed} of {sorted.Length} measurements, in which each thread waited up to {sorted[^1]:F2} s a second");
    }

    private static int ThreadsOf(ResultSection section) => ResultSection.Threads(section.Runs[0].File);

    private static string Name(BenchmarkResult result) =>
        $"`{result.Name}`{(result.Precision == Precision.Fp32 ? "" : " " + result.Precision.ToString().ToLowerInvariant())}{(result.Cold ? " cold" : "")}";

    private static string Slashed(IEnumerable<string> values) => string.Join(" / ", values);

    private static string Ratio(double value) => value.ToString(value >= 100 ? "F0" : value >= 10 ? "F1" : "F2", CultureInfo.InvariantCulture);

    private static string Percent(double? share) => share is { } known ? string.Create(CultureInfo.InvariantCulture, $"{100 * known:F0} %") : "–";

    private static string PerSecond(double count, BenchmarkResult result) =>
        count > 0 ? (1e-9 * count / result.Median).ToString("#,0.#", CultureInfo.InvariantCulture) : "–";
}
