using System.CommandLine;
using System.Diagnostics;
using Spk.Cli.Terminal;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Recipes;

namespace Spk.Cli.Verbs;

/// <summary>The whole chain on synthetic voices: corpus, training, evaluation, report.</summary>
internal sealed class DemoVerb : Verb
{
    private static readonly SyntheticVoicesSpec Voices = new()
    {
        Speakers = 80,
        EvaluationSpeakers = 20,
        UtterancesPerSpeaker = 8,
        SessionsPerSpeaker = 2,
    };

    private readonly Option<string> _out = new("--out")
    {
        Description = "Folder for voices, run and report; what the demo left there before is replaced.",
        HelpName = "DIR",
        DefaultValueFactory = _ => Path.Combine("runs", "demo"),
    };

    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of voices and training.", HelpName = "N", DefaultValueFactory = _ => 1 };

    public DemoVerb() : base("demo", "See it learn: make synthetic voices, train on them without labels, and compare with the untrained encoder. Two minutes on two cores.")
    {
        Options.Add(_out);
        Options.Add(_seed);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples => ["spk demo", "spk demo --out /tmp/demo --seed 2 --json"];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string folder = options.GetRequiredValue(_out);
        ulong seed = options.GetValue(_seed);
        string voices = Path.Combine(folder, "voices");
        if (new RunFolder(folder).HasCheckpoint && !Directory.Exists(voices))
        {
            throw new InvalidOptionException($"{folder} holds a run that is no demo: choose another --out, so that nothing is lost.");
        }

        var watch = Stopwatch.StartNew();
        context.Note($"1/4  {Voices.Speakers + Voices.EvaluationSpeakers} synthetic speakers");
        WorkDisplay.Run(context, "speaking", progress =>
        {
            SyntheticVoices.Generate(voices, Voices with { Seed = seed }, progress, context.Stop);
            return 0;
        });

        var recipe = ShippedRecipes.Load("demo", [$"data.root={voices}", $"training.seed={seed}"]);
        var trials = TrialSet.Open(Path.Combine(voices, "trials.txt"), voices);
        using var device = context.OpenDevice();
        using var trainer = Trainer.Open(recipe, folder, device, ResumeMode.Restart, null, context.Stop);

        context.Note($"2/4  the untrained encoder on {trials.Trials.Trials.Count} trials of {Voices.EvaluationSpeakers} other speakers");
        var before = Scoring.Run(trials, trainer.Model, context, out _);

        context.Note("3/4  training without labels");
        var outcome = TrainingDisplay.Run(context, progress => trainer.Run(progress, context.Stop));
        context.Stop.ThrowIfCancellationRequested();

        context.Note("4/4  the trained encoder, and the report");
        var after = Scoring.Run(trials, trainer.Model, context, out var table);
        string report = RunReport.Write(
            new RunFolder(folder), before, after, table,
            [
                new("Corpus", $"synthetic voices, {Voices.Speakers} training and {Voices.EvaluationSpeakers} evaluation speakers, seed {seed}"),
                new("Training", $"{outcome.Step} steps, {outcome.UtterancesPerSecond:F0} utterances/s"),
                new("Device", device.Name),
                new("Duration of the demo", Screen.Duration(watch.Elapsed)),
            ]);

        var json = EvaluationText.ToJson(after);
        json["untrained"] = EvaluationText.ToJson(before);
        json["steps"] = outcome.Step;
        json["utterancesPerSecond"] = outcome.UtterancesPerSecond;
        json["seconds"] = watch.Elapsed.TotalSeconds;
        json["report"] = report;
        context.Report(json, output => Print(output, folder, report, before, after, watch.Elapsed));
        return ExitCode.Ok;
    }

    private static void Print(TextWriter output, string folder, string report, EvaluationResult before, EvaluationResult after, TimeSpan time)
    {
        output.WriteLine();
        output.WriteLine($"{"",-20}  {"untrained",10}  {"trained",10}  {"chance",10}");
        output.WriteLine($"{"equal error rate",-20}  {Screen.Percent(before.Eer),10}  {Screen.Percent(after.Eer),10}  {"50 %",10}");
        output.WriteLine($"{"minDCF (p = 0.05)",-20}  {before.MinDcf05,10:F3}  {after.MinDcf05,10:F3}  {"1.000",10}");
        output.WriteLine($"{"same - different",-20}  {Gap(before),10:F3}  {Gap(after),10:F3}  {"0.000",10}   (mean cosines)");
        output.WriteLine();
        output.WriteLine($"EER {Screen.Percent(after.Eer)} after {Screen.Duration(time)}, on speakers never heard in training, from speech without labels.");
        output.WriteLine($"Report: {Path.GetFullPath(report)}");
        output.WriteLine();
        output.WriteLine("Next steps:");
        foreach (var (command, what) in new[]
        {
            ($"spk inspect {folder}", "what a checkpoint holds"),
            ("spk data check train.csv --data DIR", "look for problems in your own corpus"),
            ("spk pretrain RECIPE --set data.root=DIR --out runs/mine", "train on it"),
        })
        {
            output.WriteLine($"  {command,-58}{what}");
        }
    }

    private static double Gap(EvaluationResult result) => result.MeanCosineSame - result.MeanCosineDifferent;
}
