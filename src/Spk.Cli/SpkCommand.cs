using System.CommandLine;
using System.CommandLine.Help;
using Spk.Cli.Terminal;
using Spk.Cli.Verbs;

namespace Spk.Cli;

/// <summary>The whole command line, callable in-process.</summary>
internal static class SpkCommand
{
    public static readonly IReadOnlyList<string> Examples =
    [
        "spk demo                                            see it learn, in two minutes, on synthetic voices",
        "spk data check train.csv --data corpus/             every problem of a corpus at once",
        "spk pretrain recipe.yaml --set data.root=corpus/ --out runs/first",
        "spk eval runs/first --trials corpus/trials.txt --data corpus/ --json",
    ];

    /// <summary>Parses and runs one command line. Never throws.</summary>
    /// <param name="args">What follows <c>spk</c>.</param>
    /// <param name="output">Receives results only.</param>
    /// <param name="error">Receives progress, remarks and errors.</param>
    /// <param name="interruption">The stop signal; null for none.</param>
    /// <returns>The exit code, one of <see cref="ExitCode"/>.</returns>
    public static int Invoke(IReadOnlyList<string> args, TextWriter output, TextWriter error, Interruption? interruption = null)
    {
        using var own = interruption is null ? new Interruption() : null;
        var stop = interruption ?? own!;
        bool verbose = args.Contains("--verbose");
        try
        {
            var root = Create();
            var parse = root.Parse(args.Count == 0 ? ["--help"] : args);
            if (parse.Errors.Count > 0)
            {
                LaunchedProcesses.LastWord(error, stop.Token).WriteLine($"error: {UsageError.Describe(parse)}");
                return ExitCode.Usage;
            }

            if (parse.Action is not (null or OwnWork))
            {
                return parse.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
            }

            var verb = (Verb)parse.CommandResult.Command;
            LaunchedProcesses.RequireSharedWork(verb);
            return verb.Run(parse, new CommandContext(parse, output, error, stop));
        }
#pragma warning disable CA1031 // The outermost frame: whatever happens becomes one sentence and an exit code.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Failure.Report(e, LaunchedProcesses.LastWord(error, stop.Token), verbose, stop);
        }
    }

    /// <summary>Builds the tree of verbs.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand("Learn speaker embeddings from unlabelled speech, evaluate them, and use them.");
        foreach (var option in GlobalOptions.All)
        {
            root.Options.Add(option);
        }

        foreach (Command verb in new Command[]
        {
            new DemoVerb(), new DataVerb(), new PretrainVerb(), new FinetuneVerb(), new PseudoLabelVerb(), new EvalVerb(), new EmbedVerb(), new ImportVerb(), new ExportVerb(), new ScoreVerb(),
            new CalibrateVerb(), new AlignVerb(), new ClusterVerb(), new ReproduceVerb(), new BenchVerb(), new InspectVerb(), new DoctorVerb(),
        })
        {
            root.Subcommands.Add(verb);
        }

        foreach (var help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpWithExamples((HelpAction)help.Action!);
        }

        return root;
    }
}
