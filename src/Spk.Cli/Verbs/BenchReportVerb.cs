using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Training.Benchmarks.Page;

namespace Spk.Cli.Verbs;

/// <summary>Makes a page of stored results.</summary>
internal sealed class BenchReportVerb : Verb
{
    private readonly Argument<string> _results = new("RESULTS") { Description = "Folder of results: a folder for each section, with intro.md, ours-1.json, peers-1.json, scaling.json, notes.md." };
    private readonly Option<string> _out = new("--out") { Description = "The page; its drawings go into the folder of its name. Without it the page is printed.", HelpName = "FILE.md" };

    public BenchReportVerb() : base("report", "Make a page of stored results: tables beside other libraries, machines, commands, curves.")
    {
        Arguments.Add(_results);
        Options.Add(_out);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples => ["spk bench report bench/Results --out docs/benchmarks.md"];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string results = options.GetRequiredValue(_results);
        string? path = options.GetValue(_out);
        if (path is not null)
        {
            CommonOptions.RequireFolder(path);
        }

        var page = path is null ? BenchmarkPage.Make(results, "benchmarks") : BenchmarkPage.Write(results, path);
        context.Report(
            new JsonObject { ["out"] = path, ["lines"] = page.Markdown.Count(c => c == '\n'), ["drawings"] = page.Drawings.Count },
            output =>
            {
                if (path is null)
                {
                    output.Write(page.Markdown);
                }
                else
                {
                    output.WriteLine($"{path}: {page.Markdown.Count(c => c == '\n')} lines, {page.Drawings.Count} drawings");
                }
            });
        return ExitCode.Ok;
    }
}
