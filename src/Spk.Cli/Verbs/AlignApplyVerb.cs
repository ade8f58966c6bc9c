using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Engine.Alignment;
using Spk.Engine.Scoring;

namespace Spk.Cli.Verbs;

/// <summary>Maps stored embeddings into the space where two models are compared.</summary>
internal sealed class AlignApplyVerb : Verb
{
    private readonly Argument<string> _aligner = new("ALIGNER") { Description = "A file that 'spk align train' wrote." };
    private readonly Option<string> _enrolment = new("--enrolment") { Description = "Embeddings of the old model (X.npy, X.ark, X.scp).", HelpName = "FILE" };
    private readonly Option<string> _runtime = new("--runtime") { Description = "Embeddings of the new model.", HelpName = "FILE" };
    private readonly Option<string> _out = CommonOptions.Out("Where the mapped embeddings go; ids go to X.ids.txt.", "X.npy");

    public AlignApplyVerb() : base("apply", "Map stored embeddings of one of the two models into the space where both are compared by cosine.")
    {
        Arguments.Add(_aligner);
        foreach (Option option in new Option[] { _enrolment, _runtime, _out })
        {
            Options.Add(option);
        }

        Validators.Add(result =>
        {
            if (result.GetValue(_enrolment) is null == result.GetValue(_runtime) is null)
            {
                result.AddError("--enrolment FILE or --runtime FILE must be given, and not both: which model made the embeddings?");
            }

            if (result.GetValue(_out) is { } path && Path.GetExtension(path) is not (".npy" or ".ark"))
            {
                result.AddError($"--out takes a file name that ends in .npy or .ark, not '{path}'.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk align apply aligner.safetensors --enrolment old-profiles.npy --out profiles.npy",
        "spk align apply aligner.safetensors --runtime new-eval.npy --out eval.npy --json",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string path = options.GetRequiredValue(_out);
        var aligner = Aligner.Load(options.GetRequiredValue(_aligner));
        CommonOptions.RequireFolder(path);
        var mapped = options.GetValue(_enrolment) is { } enrolments
            ? aligner.MapEnrolments(EmbeddingTable.Load(enrolments))
            : aligner.MapRuntimes(EmbeddingTable.Load(options.GetRequiredValue(_runtime)));
        mapped.Save(path);
        var json = new JsonObject
        {
            ["out"] = path,
            ["utterances"] = mapped.Count,
            ["dimension"] = mapped.Dimension,
            ["scoring"] = aligner.Scoring,
        };
        context.Report(json, output => output.WriteLine($"{path}: {mapped.Count} embeddings of size {mapped.Dimension}; compare them by cosine"));
        return ExitCode.Ok;
    }
}
