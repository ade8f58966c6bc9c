using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Training.Benchmarks;

namespace Spk.Cli.Verbs;

/// <summary>Times the engine on this machine, against what the machine can do, an earlier run, or other libraries.</summary>
internal sealed class BenchVerb : Verb
{
    // Times the budget of a further measurement: before a round of a baseline, and, once more with each, before what seems slower is measured again.
    private const double RoundPause = 5, RepetitionPause = 2.5;
    private const double LongestPauseSeconds = 5;

    private const double QuickBudget = 0.1;

    private readonly Option<bool> _list = new("--list") { Description = "Show the cases." };
    private readonly Option<bool> _quick = new("--quick") { Description = "A tenth of a second for each case, after a warm-up: to see the order of magnitude." };

    private readonly Option<string> _save = new("--save") { Description = "Write the results to a JSON file.", HelpName = "FILE" };
    private readonly Option<int?> _rounds = new("--rounds")
    {
        Description = "Measure everything so many times, each time in a process of its own, a second after the last; default: once, and with --save 3 times, then what varies up to 20 times and 0.2 s each, until its fastest time was seen four times.",
        HelpName = "N",
    };

    private readonly Option<string> _baseline = new("--baseline") { Description = "Compare with results that --save wrote on this machine; on a busy one by the fastest call, or processor time.", HelpName = "FILE" };
    private readonly Option<double?> _failOver = new("--fail-over")
    {
        Description = "With --baseline: fail if a case, measured again up to 30 times, stays slower by more than this many per cent than the baseline was at least four times, or if the machine was too busy to tell.",
        HelpName = "PERCENT",
    };

    private readonly Option<string> _peers = new("--peers") { Description = "Compare with results of other libraries: JSON lines with case, params and throughput.", HelpName = "FILE" };
    private readonly BenchOptions _what;

    public BenchVerb() : base("bench", "Time kernels, training steps and clustering on this machine: time, share of what the machine can do, memory allocated.")
    {
        _what = new BenchOptions(this);
        foreach (Option option in new Option[] { _list, _quick, _save, _rounds, _baseline, _failOver, _peers })
        {
            Options.Add(option);
        }

        Subcommands.Add(new BenchScalingVerb());
        Subcommands.Add(new BenchReportVerb());
        Subcommands.Add(new BenchWorkerVerb());
        Action = new OwnWork();
        Validators.Add(result =>
        {
            if (result.GetValue(_failOver) is { } percent && (result.GetValue(_baseline) is null || percent is not (> 0 and < 1000)))
            {
                result.AddError("--fail-over takes per cent above 0, such as 10, and needs --baseline.");
            }

            if (result.GetValue(_rounds) is < 1 or > 100)
            {
                result.AddError("--rounds takes a number from 1 to 100.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk bench --quick",
        "spk bench sgemm xvector --threads 2 --save before.json",
        "spk bench --baseline before.json --fail-over 10",
        "spk bench scaling --quick --report scaling.html",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        if (options.GetValue(_list))
        {
            List(context);
            return ExitCode.Ok;
        }

        // Bad files are better found before minutes of measuring than after.
        var baseline = options.GetValue(_baseline) is { } before ? BenchmarkFile.Read(before) : null;
        var peers = options.GetValue(_peers) is { } file ? PeerResults.Read(file) : null;
        double allowed = (options.GetValue(_failOver) ?? 10) / 100;
        var (machine, ceilings, threads) = Describe(options, context);
        var wanted = _what.Read(options, context, isCpu: threads > 0);
        if (wanted.Device == "auto")
        {
            wanted = wanted with { Device = threads > 0 ? "cpu" : "cuda" }; // Every process on the same, or none.
        }

        if (options.GetValue(_quick))
        {
            wanted = wanted with { Budget = QuickBudget };
        }

        wanted.Validate();
        foreach (var (name, value) in machine)
        {
            context.Note($"{name,-10} {value}");
        }

        context.Note("");
        context.Note(BenchmarkText.Head(peers is not null));
        void Show(BenchmarkResult result) =>
            context.Note(BenchmarkText.Line(result, peers?.Fastest(result, threads) is { } fastest ? result.Throughput / fastest.Throughput : null));
        var remarks = new HashSet<string>(StringComparer.Ordinal);
        void Remark(string remark)
        {
            if (remarks.Add(remark))
            {
                context.Note(remark);
            }
        }

        IReadOnlyList<BenchmarkResult> Repeat(IReadOnlyList<BenchmarkResult> only, Action<BenchmarkResult> report) =>
            BenchProcess.Measure(only.Count == 0 ? wanted : Only(only, wanted), ceilings, report, Remark, context.Stop);
        IReadOnlyList<BenchmarkResult> Measure(int round, IReadOnlyList<BenchmarkResult> only) => round == 1
            ? BenchmarkRun.Measure(wanted, ceilings, Show, (name, reason) => Remark($"{name}: {reason}"), context.Stop)
            : Repeat(only, Show);

        void Save(IReadOnlyList<BenchmarkResult> soFar)
        {
            if (options.GetValue(_save) is { } file)
            {
                new BenchmarkFile(machine, soFar).Write(file);
            }
        }

        int? asked = options.GetValue(_rounds);
        bool makesBaseline = asked is null && options.GetValue(_save) is not null;
        int rounds = makesBaseline ? BenchmarkBaseline.Rounds : asked ?? 1;
        var results = BenchmarkBaseline.Measure(
            Measure,
            rounds,
            makesBaseline ? BenchmarkBaseline.MostRounds : 0,
            (round, cases) => Pause(
                round <= rounds ? $"round {round} of {rounds}" : $"round {round} of at most {BenchmarkBaseline.MostRounds} over what varies, {cases} cases",
                RoundPause * Repeated(wanted),
                context),
            Save);
        var compared = baseline is null ? [] : BenchmarkComparison.Compare(
            baseline.Results,
            results,
            allowed,
            slow => Repeat(slow, _ => { }),
            (round, slower) => PauseBefore(round, slower, wanted, context));
        if (baseline is not null && compared.Count == 0)
        {
            throw new DataFormatException($"{options.GetValue(_baseline)}: holds none of the cases measured now: measure the baseline with the same cases, precision and cache.");
        }

        var json = new BenchmarkFile(machine, results).ToJson();
        if (baseline is not null)
        {
            json["compared"] = new JsonArray([.. compared.Select(c => (JsonNode)new JsonObject { ["case"] = c.Result.Key, ["ratio"] = c.Times.Ratio, ["measurements"] = c.Measurements, ["byClock"] = c.Times.ByClock, ["slower"] = c.Slower, ["overloaded"] = c.Overloaded })]);
        }

        int slower = compared.Count(c => c.Slower), overloaded = compared.Count(c => c.Overloaded);
        context.Report(json, output =>
        {
            if (baseline is not null)
            {
                BenchmarkText.Print(compared, allowed, output);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{compared.Count} compared, {slower} slower by more than {100 * allowed:0.#} %{(overloaded > 0 ? $", {overloaded} not told: other work had the processors, now or for the baseline; measure both on a free machine" : "")}"));
            }
        });

        // What cannot be told has not passed either.
        return slower + overloaded > 0 && options.GetValue(_failOver) is not null ? ExitCode.Failure : ExitCode.Ok;
    }

    // Of what was wanted, only these cases, and briefly.
    private static BenchmarkOptions Only(IReadOnlyList<BenchmarkResult> results, BenchmarkOptions wanted) => wanted with
    {
        Cases = [.. results.Select(r => r.Key)],
        Precisions = [.. wanted.Precisions.Where(precision => results.Any(r => r.Precision == precision))],
        Budget = Repeated(wanted),
    };

    private static double Repeated(BenchmarkOptions wanted) => Math.Min(wanted.Budget, BenchmarkBaseline.RepeatedBudget);

    // Longer from one repetition to the next: neighbours on the host disturb for parts of a second, sometimes for minutes. A case that really became
    // slower stays so.
    private static void PauseBefore(int round, int slower, BenchmarkOptions wanted, CommandContext context) => Pause(
        $"{slower} seem slower: measured again, {round + 1} of at most {BenchmarkComparison.Repetitions} times",
        Math.Min(RepetitionPause * Repeated(wanted) * (round + 1), LongestPauseSeconds),
        context);

    private static void Pause(string note, double seconds, CommandContext context)
    {
        context.Note(note);
        context.Stop.WaitHandle.WaitOne(TimeSpan.FromSeconds(seconds));
        context.Stop.ThrowIfCancellationRequested();
    }

    // The device is closed again: its threads must not be about while others are timed.
    private (Dictionary<string, string> Machine, MachineCeilings? Ceilings, int Threads) Describe(ParseResult options, CommandContext context)
    {
        using var device = context.OpenDevice();
        var ceilings = MachineCeilings.Of(device);
        var machine = new Dictionary<string, string>(MachineDescription.Of(device, ceilings))
        {
            ["cache"] = _what.IsCold(options) ? "emptied before each call" : "warm: calls are repeated on the same memory",
            ["command"] = TypedCommand.Of(options, _save, _baseline, _failOver, _peers, GlobalOptions.Json, GlobalOptions.Quiet),
        };
        return (machine, ceilings, (device as CpuDevice)?.Threads ?? 0);
    }

    private static void List(CommandContext context)
    {
        var all = BenchmarkCatalog.All;
        context.Report(
            new JsonObject { ["cases"] = new JsonArray([.. all.Select(c => (JsonNode)new JsonObject { ["prefix"] = c.Prefix, ["summary"] = c.Summary })]) },
            output =>
            {
                foreach (var (prefix, summary) in all)
                {
                    output.WriteLine($"{prefix,-24} {summary}");
                }
            });
    }
}
