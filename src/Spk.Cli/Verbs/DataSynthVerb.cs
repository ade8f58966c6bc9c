using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>Makes a corpus of synthetic voices.</summary>
internal sealed class DataSynthVerb : Verb
{
    private static readonly SyntheticVoicesSpec Default = new();

    private readonly Option<string> _out = CommonOptions.Out("Folder to fill: train.csv, eval.csv, trials.txt, train/, eval/, noise/, rir/.", "DIR");
    private readonly Option<int> _speakers = CommonOptions.Number("--speakers", "Training speakers.", Default.Speakers);
    private readonly Option<int> _evaluationSpeakers = CommonOptions.Number("--eval-speakers", "Evaluation speakers, none of them a training speaker.", Default.EvaluationSpeakers);
    private readonly Option<int> _utterances = CommonOptions.Number("--utterances", "Utterances of each speaker.", Default.UtterancesPerSpeaker);
    private readonly Option<int> _sessions = CommonOptions.Number("--sessions", "Sessions of each speaker: microphone, room and noise.", Default.SessionsPerSpeaker);
    private readonly Option<float?> _channels = new("--channel-strength")
    {
        Description = "0 to 1: a strong channel for every session, trials across sessions; without it sessions differ mildly.",
        HelpName = "S",
    };

    private readonly Option<float?> _secondSpeakers = new("--second-speakers")
    {
        Description = "0 to 1: also sessions.csv, where every session is a dialogue and this share of them has a second speaker.",
        HelpName = "RATE",
    };

    private readonly Option<ulong> _seed = new("--seed") { Description = "The same seed and sizes give the same files.", HelpName = "N", DefaultValueFactory = _ => 1 };

    public DataSynthVerb() : base("synth", "Make a corpus of synthetic voices to try things on. Error rates on it say nothing about human speech.")
    {
        foreach (Option option in new Option[] { _out, _speakers, _evaluationSpeakers, _utterances, _sessions, _channels, _secondSpeakers, _seed })
        {
            Options.Add(option);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk data synth --out voices",
        "spk data synth --out voices --speakers 200 --utterances 20 --seed 7",
        "spk data synth --out confounded --sessions 4 --utterances 8 --channel-strength 0.8",
        "spk data synth --out dialogues --sessions 4 --utterances 12 --second-speakers 0.2",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string folder = options.GetRequiredValue(_out);
        var spec = new SyntheticVoicesSpec
        {
            Speakers = options.GetValue(_speakers),
            EvaluationSpeakers = options.GetValue(_evaluationSpeakers),
            UtterancesPerSpeaker = options.GetValue(_utterances),
            SessionsPerSpeaker = options.GetValue(_sessions),
            ChannelStrength = options.GetValue(_channels),
            SecondSpeakers = options.GetValue(_secondSpeakers),
            Seed = options.GetValue(_seed),
        };
        var watch = Stopwatch.StartNew();
        WorkDisplay.Run(context, "speaking", progress =>
        {
            SyntheticVoices.Generate(folder, spec, progress, context.Stop);
            return 0;
        });
        int utterances = (spec.Speakers + spec.EvaluationSpeakers) * spec.UtterancesPerSpeaker;
        var json = new JsonObject
        {
            ["folder"] = folder,
            ["speakers"] = spec.Speakers,
            ["evaluationSpeakers"] = spec.EvaluationSpeakers,
            ["utterances"] = utterances,
            ["seconds"] = watch.Elapsed.TotalSeconds,
        };
        context.Report(json, output => output.WriteLine(
            $"{folder}: {spec.Speakers} training and {spec.EvaluationSpeakers} evaluation speakers, {utterances} utterances, in {Screen.Duration(watch.Elapsed)}"));
        return ExitCode.Ok;
    }
}
