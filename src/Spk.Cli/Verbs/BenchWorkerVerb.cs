using System.CommandLine;
using Spk.Training.Benchmarks;

namespace Spk.Cli.Verbs;

/// <summary>Times cases for <see cref="BenchProcess"/>, which starts it: each result is a line of JSON on standard output, as soon as it is there.</summary>
internal sealed class BenchWorkerVerb : Verb
{
    private readonly BenchOptions _what;

    public BenchWorkerVerb() : base("worker", "Started by spk bench itself, to time cases in a process of their own.")
    {
        Hidden = true;
        _what = new BenchOptions(this);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples => ["spk bench worker adam --device cpu --precision fp32 --budget 0.2"];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        BenchmarkRun.Measure(
            _what.Read(options, context, isCpu: false), // Its precisions are always given.
            report: result =>
            {
                context.Output.WriteLine(result.ToJson().ToJsonString());
                context.Output.Flush();
            },
            failed: (name, reason) => context.Note($"{name}: {reason}"),
            cancellation: context.Stop);
        return ExitCode.Ok;
    }
}
