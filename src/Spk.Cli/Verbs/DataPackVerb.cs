using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>Writes a corpus as one memory-mapped file.</summary>
internal sealed class DataPackVerb : Verb
{
    private readonly Argument<string> _manifest = new("MANIFEST") { Description = "CSV, Kaldi directory or folder of WAV files." };
    private readonly Option<string> _data = CommonOptions.Data();
    private readonly Option<string> _out = CommonOptions.Out("The pack to write; it appears only when it is complete.", "FILE");
    private readonly Option<int> _sampleRate = CommonOptions.SampleRate();
    private readonly Option<bool> _resample = CommonOptions.Resample();
    private readonly Option<string> _channels = CommonOptions.Channels();
    private readonly Option<string> _format = CommonOptions.Format();

    public DataPackVerb() : base("pack", "Decode a corpus into one checksummed file that training maps into memory.")
    {
        Arguments.Add(_manifest);
        foreach (Option option in new Option[] { _data, _out, _sampleRate, _resample, _channels, _format })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk data pack corpus/train.csv --data corpus --out corpus/train.spkpack",
        "spk data pack corpus/wav --format tree --resample --out corpus.spkpack",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string? root = options.GetValue(_data);
        string path = options.GetRequiredValue(_out);
        var manifest = Manifest.Load(
            CommonOptions.Find(options.GetRequiredValue(_manifest), root), root, CommonOptions.ToManifestFormat(options.GetValue(_format)));
        var corpusOptions = new CorpusOptions
        {
            SampleRate = options.GetValue(_sampleRate),
            Channels = CommonOptions.ToChannelPolicy(options.GetValue(_channels)),
            Resample = options.GetValue(_resample),
        };
        var watch = Stopwatch.StartNew();
        WorkDisplay.Run(context, "packing", progress =>
        {
            CorpusPack.Write(path, manifest, corpusOptions, progress, context.Stop);
            return 0;
        });

        using var corpus = Corpus.OpenPack(path);
        double hours = (double)corpus.TotalSamples / corpus.SampleRate / 3600;
        long bytes = new FileInfo(path).Length;
        var json = new JsonObject
        {
            ["pack"] = path,
            ["utterances"] = corpus.Count,
            ["speakers"] = corpus.Speakers.Count,
            ["hours"] = hours,
            ["bytes"] = bytes,
            ["seconds"] = watch.Elapsed.TotalSeconds,
        };
        context.Report(json, output =>
        {
            output.WriteLine($"{path}: {corpus.Count} utterances of {corpus.Speakers.Count} speakers, {hours:F2} h, {bytes / 1e6:F1} MB");
            output.WriteLine($"Train from it with: spk pretrain RECIPE --set data.pack={Path.GetFullPath(path)} --out DIR");
        });
        return ExitCode.Ok;
    }
}
