using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Alignment;
using Spk.Training.Alignment;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>Learns an aligner for two models.</summary>
internal sealed class AlignTrainVerb : Verb
{
    private static readonly AlignmentSpec Defaults = new();

    private readonly TwoModels _models;
    private readonly Option<string> _manifest = new("--manifest") { Description = "Labelled utterances to learn from; their speakers must be in no evaluation.", HelpName = "FILE", Required = true };
    private readonly Option<string> _data = CommonOptions.Data();
    private readonly Option<string> _format = CommonOptions.Format();
    private readonly Option<string> _out = CommonOptions.Out("Where the aligner goes.", "FILE.safetensors");
    private readonly Option<string> _variant = CommonOptions.Choice("--variant", "shared: both into one space. to-enrolment, to-runtime: one into the other's. procrustes, logits: baselines without training.", "shared", "to-enrolment", "to-runtime", "procrustes", "logits");
    private readonly Option<string> _anchor = CommonOptions.Choice("--anchor", "For shared: the model whose space is kept, the better of the two; or none.", "runtime", "enrolment", "none");
    private readonly Option<string> _start = CommonOptions.Choice("--start", "What the networks are before training.", "procrustes", "identity", "random");
    private readonly Option<double> _anchorWeight = Number("--anchor-weight", "For shared: weight of the squared distances from the anchor.", Defaults.AnchorWeight);
    private readonly Option<double> _penalty = Number("--weight-penalty", "Weight of the squared weights.", Defaults.WeightPenalty);
    private readonly Option<double> _orthogonal = Number("--orthogonal-penalty", "Weight of the distance of the linear maps from orthogonal ones.", Defaults.OrthogonalPenalty);
    private readonly Option<double> _rate = Number("--learning-rate", "Learning rate.", Defaults.LearningRate);
    private readonly Option<int> _hidden = CommonOptions.Number("--hidden", "Hidden units of the networks.", Defaults.Hidden);
    private readonly Option<int> _epochs = CommonOptions.Number("--epochs", "Most epochs.", Defaults.Epochs);
    private readonly Option<int> _patience = CommonOptions.Number("--patience", "Stop after so many epochs without fewer false rejections of held-back speakers; 0 never does.", Defaults.Patience);
    private readonly Option<int> _averaged = CommonOptions.Number("--averaged", "Most utterances averaged into a training vector, as a profile is; half of the vectors are of one.", Defaults.Averaged);
    private readonly Option<double> _heldBack = Number("--held-back", "Share of the speakers held back to choose the epoch by; 0 for none.", Defaults.HeldBack);
    private readonly Option<double> _far = Number("--far", "False acceptance rate at which their false rejections are counted, a fraction.", Defaults.TargetFar);
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of everything random.", HelpName = "N", DefaultValueFactory = _ => Defaults.Seed };

    public AlignTrainVerb() : base("train", "Learn an aligner from labelled utterances that both models embed.")
    {
        _models = new TwoModels(this);
        foreach (Option option in new Option[]
        {
            _manifest, _data, _format, _out, _variant, _anchor, _start, _anchorWeight, _penalty, _orthogonal, _hidden, _rate, _epochs, _patience, _averaged, _heldBack, _far, _seed,
        })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk align train runs/old runs/new --manifest align.csv --data corpus --out aligner.safetensors",
        "spk align train runs/old runs/new --manifest align.csv --data corpus --variant to-runtime --out b.safetensors --json",
        "spk align train old.safetensors new.safetensors --manifest align.csv --old-embeddings x.npy --new-embeddings y.npy --out aligner.safetensors",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string path = options.GetRequiredValue(_out);
        string? root = options.GetValue(_data);
        var spec = Spec(options);
        spec.Validate();
        var manifest = Manifest.Load(
            CommonOptions.Find(options.GetRequiredValue(_manifest), root), root, CommonOptions.ToManifestFormat(options.GetValue(_format)));
        CommonOptions.RequireFolder(path);
        var (old, newer) = _models.Embed(options, context, () => manifest.Utterances);
        var speakers = manifest.Utterances.ToDictionary(u => u.Id, u => u.Speaker, StringComparer.Ordinal);
        var data = AlignmentData.Join(old.Table, newer.Table, speakers.GetValueOrDefault);

        var watch = Stopwatch.StartNew();

        // Products this small are faster on one thread.
        using var device = context.OpenDevice(threads: 1);
        var outcome = WorkDisplay.Run(context, "aligning", display => AlignmentTrainer.Run(
            data, old.Identity, newer.Identity, spec, device, new Epochs(display, spec.Epochs), context.Stop));
        outcome.Aligner.Save(path);

        var json = new JsonObject
        {
            ["out"] = path,
            ["identity"] = outcome.Aligner.Identity,
            ["variant"] = options.GetValue(_variant),
            ["enrolmentModel"] = old.Identity,
            ["runtimeModel"] = newer.Identity,
            ["utterances"] = outcome.Utterances,
            ["speakers"] = outcome.Speakers,
            ["heldBackSpeakers"] = outcome.HeldBack,
            ["bestEpoch"] = outcome.BestEpoch,
            ["epochs"] = new JsonArray([.. outcome.Epochs.Select(e => (JsonNode)new JsonObject
            {
                ["epoch"] = e.Epoch,
                ["loss"] = double.IsNaN(e.Loss) ? null : e.Loss,
                ["frr"] = e.Frr,
            })]),
            ["device"] = device.Name,
            ["seconds"] = watch.Elapsed.TotalSeconds,
        };
        context.Report(json, output =>
        {
            output.WriteLine($"{path}: {options.GetValue(_variant)}, learnt from {outcome.Utterances} utterances of {outcome.Speakers} speakers in {Screen.Duration(watch.Elapsed)}");
            if (outcome.Epochs.Count > 0 && outcome.Epochs[0].Frr is { } before)
            {
                output.WriteLine(
                    $"false rejections of {outcome.HeldBack} held-back speakers at FAR {Screen.Percent(spec.TargetFar)}: {Screen.Percent(before)} before training, "
                    + $"{Screen.Percent(outcome.Epochs[outcome.BestEpoch].Frr!.Value)} after epoch {outcome.BestEpoch} of {outcome.Epochs.Count - 1}, which was kept");
            }
        });
        return ExitCode.Ok;
    }

    private AlignmentSpec Spec(ParseResult options) => new()
    {
        Variant = options.GetValue(_variant) switch
        {
            "to-enrolment" => AlignmentVariant.ToEnrolment,
            "to-runtime" => AlignmentVariant.ToRuntime,
            "procrustes" => AlignmentVariant.Procrustes,
            "logits" => AlignmentVariant.SpeakerLogits,
            _ => AlignmentVariant.Shared,
        },
        Anchor = Enum.Parse<AlignmentAnchor>(options.GetValue(_anchor)!, ignoreCase: true),
        Start = Enum.Parse<AlignmentStart>(options.GetValue(_start)!, ignoreCase: true),
        AnchorWeight = options.GetValue(_anchorWeight),
        WeightPenalty = options.GetValue(_penalty),
        OrthogonalPenalty = options.GetValue(_orthogonal),
        LearningRate = options.GetValue(_rate),
        Hidden = options.GetValue(_hidden),
        Epochs = options.GetValue(_epochs),
        Patience = options.GetValue(_patience),
        Averaged = options.GetValue(_averaged),
        HeldBack = options.GetValue(_heldBack),
        TargetFar = options.GetValue(_far),
        Seed = options.GetValue(_seed),
    };

    private static Option<double> Number(string name, string description, double value) => new(name) { Description = description, HelpName = "X", DefaultValueFactory = _ => value };

    private sealed class Epochs(WorkDisplay display, int count) : IProgress<AlignmentProgress>
    {
        public void Report(AlignmentProgress value) => display.Report(new DataProgress(value.Epoch, count));
    }
}
