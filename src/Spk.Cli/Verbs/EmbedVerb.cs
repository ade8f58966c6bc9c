using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Models;
using Spk.Training;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>Embeds whole utterances.</summary>
internal sealed class EmbedVerb : Verb
{
    private readonly Argument<string> _model = new("MODEL") { Description = "Run folder, checkpoint or model file." };
    private readonly Option<string> _manifest = new("--manifest") { Description = "CSV, Kaldi directory or folder of WAV files.", HelpName = "FILE", Required = true };
    private readonly Option<string> _data = CommonOptions.Data();
    private readonly Option<string> _out = CommonOptions.Out("Matrix of unit-length embeddings, a row an utterance; ids go to X.ids.txt.", "X.npy");
    private readonly Option<string> _ark = new("--ark") { Description = "Also a Kaldi archive, with X.scp beside it.", HelpName = "X.ark" };
    private readonly Option<int> _views = new("--views") { Description = "Also so many augmented views of each recording, in X.views.npy, for 'spk cluster --method camsat': noise, noise, music or babble, reverberation in turn. 0 for none.", HelpName = "N" };
    private readonly Option<string> _noise = new("--noise") { Description = "For --views: folder of noise with sub-folders speech and music; synthetic without it.", HelpName = "DIR" };
    private readonly Option<string> _rir = new("--rir") { Description = "For --views: folder of room impulse responses; synthetic without it.", HelpName = "DIR" };
    private readonly Option<ulong> _seed = new("--seed") { Description = "For --views: seed of everything random.", HelpName = "N" };
    private readonly Option<bool> _resample = CommonOptions.Resample();
    private readonly Option<string> _channels = CommonOptions.Channels();
    private readonly Option<string> _format = CommonOptions.Format();

    public EmbedVerb() : base("embed", "Turn whole utterances into embeddings with a trained model.")
    {
        Arguments.Add(_model);
        foreach (Option option in new Option[] { _manifest, _data, _out, _ark, _views, _noise, _rir, _seed, _resample, _channels, _format })
        {
            Options.Add(option);
        }

        Validators.Add(result =>
        {
            Require(result.GetValue(_out), ".npy", "--out");
            Require(result.GetValue(_ark), ".ark", "--ark");
            int views = result.GetValue(_views);
            if (views is not 0 and < 2)
            {
                result.AddError($"--views takes 2 or more, or 0 for none, not '{views}'.");
            }

            foreach (Option option in new Option[] { _noise, _rir, _seed })
            {
                if (views == 0 && result.GetResult(option) is { Implicit: false })
                {
                    result.AddError($"{option.Name} goes with --views.");
                }
            }

            void Require(string? path, string extension, string option)
            {
                if (path is not null && Path.GetExtension(path) != extension)
                {
                    result.AddError($"{option} takes a file name that ends in {extension}, not '{path}'.");
                }
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk embed runs/first --manifest corpus/eval.csv --data corpus --out embeddings.npy",
        "spk embed runs/first --manifest corpus/train.csv --data corpus --out train.npy --views 4 --noise corpus/noise --rir corpus/rir",
        "spk embed runs/first/checkpoints/best.safetensors --manifest recordings --format tree --resample --out x.npy --ark x.ark",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string? root = options.GetValue(_data);
        string path = options.GetRequiredValue(_out);
        var manifest = Manifest.Load(
            CommonOptions.Find(options.GetRequiredValue(_manifest), root), root, CommonOptions.ToManifestFormat(options.GetValue(_format)));
        var files = new CorpusOptions { Channels = CommonOptions.ToChannelPolicy(options.GetValue(_channels)), Resample = options.GetValue(_resample) };
        using var device = context.OpenDevice();
        var model = SpeakerModel.Load(options.GetRequiredValue(_model), device);
        CommonOptions.RequireFolder(path);

        var watch = Stopwatch.StartNew();
        var table = WorkDisplay.Run(
            context, "embedding", progress => EmbeddingExtractor.Run(model, manifest.Utterances, files, progress, context.Stop));
        string viewFile = ClusterInput.ViewsOf(path);
        int views = options.GetValue(_views);
        if (views > 0)
        {
            var spec = new ViewSpec { Views = views, Noise = options.GetValue(_noise), Rir = options.GetValue(_rir), Seed = options.GetValue(_seed) };
            float[] values = WorkDisplay.Run(
                context, "embedding views", progress => ViewExtractor.Run(model, manifest.Utterances, spec, files, progress, context.Stop));
            NpyFile.Write(viewFile, values, views, table.Count, table.Dimension);
        }

        watch.Stop();
        table.Save(path);
        if (options.GetValue(_ark) is { } ark)
        {
            table.Save(ark);
        }

        var json = new JsonObject
        {
            ["out"] = path,
            ["ids"] = Path.ChangeExtension(path, ".ids.txt"),
            ["utterances"] = table.Count,
            ["dimension"] = table.Dimension,
            ["views"] = views > 0 ? viewFile : null,
            ["zeroEmbeddings"] = table.ZeroRows,
            ["seconds"] = watch.Elapsed.TotalSeconds,
        };
        context.Report(json, output => output.WriteLine(
            $"{path}: {table.Count} embeddings of size {table.Dimension} in {Screen.Duration(watch.Elapsed)}; ids in {Path.ChangeExtension(path, ".ids.txt")}{(views > 0 ? $", {views} views in {viewFile}" : "")}"));
        return ExitCode.Ok;
    }
}
