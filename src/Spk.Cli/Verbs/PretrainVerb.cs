using System.CommandLine;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Evaluation;
using Spk.Training.Recipes;
using Spk.Training.Reports;

namespace Spk.Cli.Verbs;

/// <summary>Trains the encoder of a recipe.</summary>
internal sealed class PretrainVerb : Verb
{
    private readonly Argument<string> _recipe = new("RECIPE") { Description = "Recipe file (YAML)." };
    private readonly Option<string[]> _set = CommonOptions.Set("Replace a field of the recipe; may be repeated, or take several.");
    private readonly Option<string> _out = CommonOptions.Out("Run folder: recipe, log, checkpoints, TensorBoard events, report.", "DIR");
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Seed of everything random; the same as --set training.seed=N.", HelpName = "N" };
    private readonly Option<bool> _resume = new("--resume") { Description = "Go on with the run in DIR if there is one: same bits as without the stop." };
    private readonly Option<bool> _restart = new("--restart") { Description = "Replace the run in DIR." };

    private readonly Option<bool> _profile = new("--profile") { Description = "Measure where the time of a step goes. Slower on a GPU: it waits at every boundary." };

    public PretrainVerb() : base("pretrain", "Train a speaker encoder from a recipe. Ctrl+C writes a checkpoint; --resume goes on from it.")
    {
        Arguments.Add(_recipe);
        foreach (Option option in new Option[] { _set, _out, _seed, _resume, _restart, _profile })
        {
            Options.Add(option);
        }

        Validators.Add(result =>
        {
            if (CommonOptions.WrongAssignment(result.GetValue(_set)) is { } wrong)
            {
                result.AddError($"--set takes key=value, not '{wrong}'; put the recipe before --set.");
            }
            else if (result.GetValue(_resume) && result.GetValue(_restart))
            {
                result.AddError("--resume and --restart exclude each other.");
            }
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk pretrain recipes/openvoices-simclr-am.yaml --set data.root=corpus --out runs/am",
        "spk pretrain recipe.yaml --set data.root=corpus objective.margin=0.2 --seed 3 --out runs/am-3 --threads 2",
        "spk pretrain recipe.yaml --set data.root=corpus --out runs/am --resume",
    ];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        string path = options.GetRequiredValue(_recipe);
        string folder = options.GetRequiredValue(_out);
        List<string> overrides = [.. options.GetValue(_set) ?? []];
        if (options.GetValue(_seed) is { } seed)
        {
            overrides.Add($"training.seed={seed}");
        }

        var recipe = Recipe.Load(path, overrides);
        bool resume = options.GetValue(_resume);
        if (!resume && !options.GetValue(_restart) && new RunFolder(folder).HasCheckpoint)
        {
            throw new InvalidOptionException($"{folder} holds a run already: add --resume to go on with it, --restart to replace it, or choose another --out.");
        }

        var run = new RunFolder(folder);
        using var device = context.OpenDevice();
        NoteMemory(recipe, device, context);
        using var trainer = WorkDisplay.Run(
            context, "loading audio", loading => Trainer.Open(recipe, folder, device, resume ? ResumeMode.Auto : ResumeMode.Restart, loading, context.Stop));
        trainer.Profile = options.GetValue(_profile) ? new StepProfile() : null;
        var outcome = TrainingDisplay.Run(context, progress => trainer.Run(progress, context.Stop));
        var memory = device.Memory;
        if (outcome.End == TrainingEnd.Cancelled)
        {
            context.Error.WriteLine($"Interrupted after step {outcome.Step}; the checkpoint is {run.Latest}; the same command with --resume goes on.");
            return context.Interruption.ExitCode;
        }

        var result = Evaluate(recipe, trainer.Model, context, out var table, out var before, out var trials);
        var json = ToJson(outcome, run);
        json["memory"] = new JsonObject
        {
            ["persistent"] = memory.Persistent,
            ["reserved"] = memory.Reserved,
            ["peak"] = memory.Peak,
            ["free"] = memory.Free,
        };
        if (trainer.Profile is { } profile)
        {
            json["profile"] = ProfileText.ToJson(profile);
        }

        if (result is not null)
        {
            json["evaluation"] = EvaluationText.ToJson(result);
            AtomicFile.WriteText(run.Evaluation, EvaluationText.ToJson(result).ToJsonString() + "\n");
            ScoreFile.Write(run.Scores, trials!.Trials.Trials, result.Scores);
        }

        ReportField[] facts =
        [
            new("Recipe", Path.GetFileName(path)), new("Seed", $"{recipe.Training.Seed}"), new("Steps", $"{outcome.Step}"),
            new("Speed", $"{outcome.UtterancesPerSecond:F0} utterances/s"), new("Device", device.Name),
            new("Device memory", Screen.Memory(memory)),
        ];
        json["report"] = RunReport.Write(run, before, result, table, facts);
        context.Report(json, output =>
        {
            Print(outcome, memory, run, result, output);
            if (trainer.Profile is { } measured)
            {
                ProfileText.Print(measured, output);
            }
        });
        return ExitCode.Ok;
    }

    // Better known before an hour of loading than after; a missing corpus is the better thing to say first.
    private static void NoteMemory(Recipe recipe, Device device, CommandContext context)
    {
        string corpus = Path.Combine(recipe.Data.Root, recipe.Data.Pack ?? recipe.Data.Train);
        if (!Path.Exists(corpus))
        {
            return;
        }

        var memory = TrainingMemory.Estimate(recipe);
        string host = memory.HostPerUtterance > 0 ? $", and {memory.HostPerUtterance} bytes of host memory for each utterance" : "";
        context.Note($"needs about {memory.Device >> 20} MiB on the device: {memory.Parameters >> 20} for parameters and queues, {memory.Step >> 20} for a step{host}");
        long free = device.Memory.Free ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (memory.Device > free)
        {
            context.Error.WriteLine($"warning: only {free >> 20} MiB are free on {device.Name}: use a smaller training.batch, data.cropSeconds or encoder.");
        }
    }

    /// <summary>Scores the recipe's trial list once, at the end, if it is there. A training that succeeded does not fail for it.</summary>
    private static EvaluationResult? Evaluate(
        Recipe recipe, SpeakerModel model, CommandContext context, out EmbeddingTable? table, out EvaluationResult? before, out TrialSet? trials)
    {
        (table, before, trials) = (null, null, null);
        string list = Path.Combine(recipe.Data.Root, recipe.Evaluation.Trials);
        if (!File.Exists(list))
        {
            context.Note($"not evaluated: there is no trial list {list}");
            return null;
        }

        try
        {
            trials = TrialSet.Open(list, recipe.Data.Root, audio: recipe.CorpusOptions);
            before = Scoring.Run(trials, model.Untrained(recipe.Training.Seed), context, out _);
            return Scoring.Run(trials, model, context, out table);
        }
        catch (SpkException e)
        {
            context.Note($"not evaluated: {e.Message}");
            return null;
        }
    }

    private static void Print(TrainingOutcome outcome, DeviceMemory memory, RunFolder run, EvaluationResult? result, TextWriter output)
    {
        string end = outcome.End switch
        {
            TrainingEnd.EarlyStopped => "stopped early, the development EER no longer falls",
            TrainingEnd.StepLimit => "reached training.maximumSteps or training.stopAfterEpochs",
            _ => "done",
        };
        output.WriteLine($"{end}: {outcome.Step} steps, {outcome.Epochs} epochs, loss {outcome.Loss:F3}, {outcome.UtterancesPerSecond:F0} utterances/s");
        output.WriteLine($"device memory: {Screen.Memory(memory)}");
        if (outcome.BestEer is { } eer)
        {
            output.WriteLine($"best development EER {Screen.Percent(eer)} at step {outcome.BestStep}");
        }

        if (result is not null)
        {
            EvaluationText.Print(result, output);
        }

        output.WriteLine($"Report: {Path.GetFullPath(run.Report)}");
    }

    private static JsonObject ToJson(TrainingOutcome outcome, RunFolder run) => new()
    {
        ["run"] = run.Path,
        ["end"] = char.ToLowerInvariant(outcome.End.ToString()[0]) + outcome.End.ToString()[1..],
        ["steps"] = outcome.Step,
        ["epochs"] = outcome.Epochs,
        ["loss"] = float.IsFinite(outcome.Loss) ? outcome.Loss : null,
        ["utterancesPerSecond"] = outcome.UtterancesPerSecond,
        ["bestEer"] = outcome.BestEer,
        ["bestStep"] = outcome.BestEer is null ? null : outcome.BestStep,
        ["checkpoint"] = run.Latest,
    };
}
