using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Interop;
using Spk.Training.Reproduction;

namespace Spk.Cli.Verbs;

/// <summary>Tests a paper's claims again.</summary>
internal sealed class ReproduceVerb : Verb
{
    private readonly Argument<string?> _name = new("NAME") { Description = "Which experiment; --list shows them.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> _list = new("--list") { Description = "Show the experiments and what they train." };
    private readonly Option<string> _data = CommonOptions.Data("A corpus at hand, with train.csv and trials.txt, besides the synthetic ones.");
    private readonly Option<string[]> _corpora = new("--corpus")
    {
        Description = "Use these corpora of the experiment only; may be repeated.",
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string> _seeds = new("--seeds") { Description = "Seeds, separated by commas; default: those of the experiment.", HelpName = "1,2,3" };
    private readonly Option<string> _out = CommonOptions.Out("Folder of corpora, runs and pages; default: runs/reproduce/NAME.", "DIR", required: false);
    private readonly Option<bool> _quick = new("--quick") { Description = "Small corpora, few epochs, systems and seeds: to see where it goes." };
    private readonly Option<string[]> _set = CommonOptions.Set("Replace a field of the recipes of all systems; may be repeated, or take several.");

    public ReproduceVerb() : base("reproduce", "Test a paper's claims on data at hand: train its systems with several seeds, compare them, and say what was reproduced. The same command goes on after a stop.")
    {
        Arguments.Add(_name);
        foreach (Option option in new Option[] { _list, _data, _corpora, _seeds, _out, _quick, _set })
        {
            Options.Add(option);
        }

        Validators.Add(result =>
        {
            bool list = result.GetValue(_list);
            if (list == result.GetValue(_name) is not null)
            {
                result.AddError(list ? "--list shows all experiments and takes no NAME." : "--list or the NAME of an experiment is needed.");
            }
            else if (CommonOptions.WrongAssignment(result.GetValue(_set)) is { } wrong)
            {
                result.AddError($"--set takes key=value, not '{wrong}'; put the name before --set.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk reproduce --list",
        "spk reproduce nt-xent-am --quick",
        "spk reproduce nt-xent-am --data corpus --seeds 1,2,3,4,5 --out runs/margins",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        if (options.GetValue(_list))
        {
            List(context);
            return ExitCode.Ok;
        }

        var experiment = ExperimentCatalog.Find(options.GetValue(_name)!);
        string folder = options.GetValue(_out) ?? Path.Combine("runs", "reproduce", experiment.Name);
        string? data = options.GetValue(_data);
        ulong[] seeds = Seeds(options.GetValue(_seeds));
        string[] overrides = options.GetValue(_set) ?? [];
        bool quick = options.GetValue(_quick);
        var session = ExperimentSession.Open(experiment, new ExperimentOptions
        {
            Folder = folder,
            Data = data,
            Corpora = options.GetValue(_corpora) ?? [],
            Seeds = seeds,
            Quick = quick,
            Overrides = overrides,
        });
        WorkDisplay.Run(context, "speaking", progress =>
        {
            session.MakeCorpora(progress, context.Stop);
            return 0;
        });
        Train(session, context);

        string[] words =
        [
            "spk reproduce", experiment.Name, .. data is null ? Array.Empty<string>() : [$"--data {data}"],
            .. (options.GetValue(_corpora) ?? []).Select(c => $"--corpus {c}"), $"--seeds {string.Join(',', session.Seeds)}",
            .. quick ? ["--quick"] : Array.Empty<string>(), .. overrides.Select(o => $"--set {o}"),
        ];
        var findings = session.Judge();
        var files = ReproductionFiles.Write(folder, findings, string.Join(' ', words));
        var json = ReproductionFiles.ToJson(findings);
        json["markdown"] = files.Markdown;
        json["html"] = files.Html;
        json["json"] = files.Json;
        context.Report(json, output => Print(findings, files.Html, output));
        return ExitCode.Ok;
    }

    private static void Train(ExperimentSession session, CommandContext context)
    {
        int finished = session.Runs.Count(r => r.IsFinished);
        string reused = finished > 0 ? $", {finished} of them finished" : "";
        context.Note($"{session.Experiment.Name}: {session.Runs.Count} runs on {string.Join(" and ", session.Corpora.Select(c => c.Name))}{reused}");
        if (finished == session.Runs.Count)
        {
            return;
        }

        for (int i = 0; i < session.Runs.Count; i++)
        {
            var run = session.Runs[i];
            if (run.IsFinished)
            {
                continue;
            }

            context.Stop.ThrowIfCancellationRequested();
            string left = session.RemainingAfter(run) is { } time ? $"; the runs after it take about {Screen.Duration(time)}" : "";
            context.Note($"run {i + 1}/{session.Runs.Count}: {run.System.Name} on {run.Corpus.Name}, seed {run.Seed}{left}");

            // A device keeps the memory of every model it has seen: each run gets its own.
            using var device = context.OpenDevice();
            TrainingDisplay.Run(context, progress =>
            {
                session.Execute(run, device, progress, null, context.Stop);
                return 0;
            });
        }
    }

    private static ulong[] Seeds(string? text)
    {
        if (text is null)
        {
            return [];
        }

        var seeds = new List<ulong>();
        foreach (string word in text.Split(','))
        {
            seeds.Add(ulong.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed)
                ? seed
                : throw new InvalidOptionException($"--seeds takes whole numbers separated by commas, such as 1,2,3, not '{text}'."));
        }

        return [.. seeds];
    }

    private static void List(CommandContext context)
    {
        var json = new JsonObject
        {
            ["experiments"] = new JsonArray([.. ExperimentCatalog.All.Select(e => (JsonNode)new JsonObject
            {
                ["name"] = e.Name,
                ["title"] = e.Title,
                ["paper"] = e.Paper,
                ["corpora"] = new JsonArray([.. e.Corpora.Select(c => (JsonNode)c.Name)]),
                ["systems"] = new JsonArray([.. e.Systems.Select(s => (JsonNode)s.Name)]),
                ["claims"] = new JsonArray([.. e.Claims.Select(c => (JsonNode)c.Statement)]),
            })]),
        };
        context.Report(json, output =>
        {
            foreach (var experiment in ExperimentCatalog.All)
            {
                output.WriteLine($"{experiment.Name}: {experiment.Title}");
                output.WriteLine($"  {experiment.Paper}");
                output.WriteLine($"  corpora: {string.Join(", ", experiment.Corpora.Select(c => c.Name + (c.Voices is null ? " (--data)" : "")))}");
                output.WriteLine($"  systems: {string.Join(", ", experiment.Systems.Select(s => s.Name))}");
                foreach (var claim in experiment.Claims)
                {
                    output.WriteLine($"  - {claim.Statement}");
                }
            }
        });
    }

    private static void Print(Findings findings, string page, TextWriter output)
    {
        foreach (var corpus in findings.Corpora)
        {
            output.WriteLine();
            output.WriteLine($"{corpus.Corpus.Name}: {corpus.Corpus.Description}");
            foreach (var system in corpus.Systems.Where(s => !s.System.IsStage))
            {
                output.WriteLine($"  {system.System.Name,-20} EER {Screen.Percent(system.Mean(Measure.Eer)),8}   by seed {string.Join(", ", system.Runs.Select(r => Screen.Percent(r.Evaluation.Eer)))}");
            }

            foreach (var found in corpus.Grid?.Claims ?? [])
            {
                output.WriteLine($"  {found.Verdict.ToText(),-15}{found.Claim.Statement}");
            }

            foreach (var found in corpus.Claims)
            {
                output.WriteLine($"  {found.Verdict.ToText(),-15}{found.Claim.Statement}");
            }
        }

        output.WriteLine();
        output.WriteLine($"Page: {Path.GetFullPath(page)}");
    }
}
