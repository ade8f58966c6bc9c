using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Training.Benchmarks;
using Spk.Training.Benchmarks.Scaling;

namespace Spk.Cli.Verbs;

/// <summary>Times the same work in several sizes, and says with which power of the size its cost grows.</summary>
internal sealed class BenchScalingVerb : Verb
{
    private const int QuickPoints = 4;

    private readonly Argument<string[]> _axes = new("CURVE") { Description = "Measure curves whose names start with this; default: all. --list shows them.", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<bool> _list = new("--list") { Description = "Show the curves." };
    private readonly Option<double> _budget = new("--budget") { Description = "Seconds for each size.", HelpName = "S", DefaultValueFactory = _ => 0.5 };
    private readonly Option<bool> _quick = new("--quick") { Description = "The four smallest sizes, a fiftieth of a second each." };
    private readonly Option<string> _save = new("--save") { Description = "Write the curves to a JSON file.", HelpName = "FILE" };
    private readonly Option<string> _report = new("--report") { Description = "Write a page with charts.", HelpName = "FILE.html" };

    public BenchScalingVerb() : base("scaling", "Time and memory against batch, classes, clusters, corpus and threads, with the power they grow with.")
    {
        Arguments.Add(_axes);
        foreach (Option option in new Option[] { _list, _budget, _quick, _save, _report })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples => ["spk bench scaling --quick --report scaling.html", "spk bench scaling kmeans ntxent --save scaling.json"];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        if (options.GetValue(_list))
        {
            var all = ScalingCatalog.All;
            context.Report(
                new JsonObject { ["curves"] = new JsonArray([.. all.Select(a => (JsonNode)new JsonObject { ["name"] = a.Name, ["summary"] = a.Summary })]) },
                output => all.ToList().ForEach(a => output.WriteLine($"{a.Name,-22} {a.Summary}")));
            return ExitCode.Ok;
        }

        bool quick = options.GetValue(_quick);
        var wanted = new ScalingOptions
        {
            Axes = options.GetValue(_axes) ?? [],
            Device = context.Device,
            Threads = context.Threads,
            Budget = quick ? 0.02 : options.GetValue(_budget),
            Points = quick ? QuickPoints : 0,
        };
        wanted.Validate();
        foreach (string path in new[] { options.GetValue(_save), options.GetValue(_report) }.OfType<string>())
        {
            CommonOptions.RequireFolder(path);
        }

        Dictionary<string, string> machine;
        using (var device = context.OpenDevice())
        {
            wanted = wanted with { Device = device is Engine.Devices.CpuDevice ? "cpu" : context.Device };
            machine = new(MachineDescription.Of(device, null)) { ["command"] = TypedCommand.Of(options, _save, _report, GlobalOptions.Json, GlobalOptions.Quiet) };
        }

        var curves = ScalingRun.Measure(wanted, curve => Show(curve, context), (name, reason) => context.Note($"{name}: {reason}"), context.Stop);
        var file = new ScalingFile(machine, curves);
        if (options.GetValue(_save) is { } save)
        {
            file.Write(save);
        }

        if (options.GetValue(_report) is { } report)
        {
            ScalingReport.Write(report, file);
        }

        context.Report(file.ToJson(), output =>
        {
            foreach (var curve in curves)
            {
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{curve.Name,-22} time ~ {curve.SizeName} ^ {curve.TimeExponent:F2}, {curve.TimeExponentOfLarger:F2} in the larger half; memory ^ {curve.MemoryExponentOfLarger:F2}"));
            }
        });
        return ExitCode.Ok;
    }

    private static void Show(ScalingCurve curve, CommandContext context)
    {
        context.Note($"{curve.Name}: {curve.Summary}");
        foreach (var point in curve.Points)
        {
            context.Note(string.Create(
                CultureInfo.InvariantCulture,
                $"{point.Size,12:#,0} {curve.SizeName,-24} {BenchmarkFormat.Time(point.Median),10}  {BenchmarkFormat.Time(point.Fast) + " - " + BenchmarkFormat.Time(point.Slow),20}  {BenchmarkFormat.Bytes(point.Bytes),10}"));
        }
    }
}
