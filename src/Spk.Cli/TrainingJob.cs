using System.Text.Json.Nodes;
using Spk.Cli.Terminal;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Objectives;
using Spk.Training.Recipes;
using Spk.Training.Reports;

namespace Spk.Cli;

/// <summary>Trains a recipe into a run folder, scores it once at the end, and reports.</summary>
/// <param name="recipe">What to train.</param>
/// <param name="recipeName">Its file's name, for the report.</param>
/// <param name="folder">The run folder.</param>
/// <param name="resume">Whether a run that is there goes on; otherwise it is replaced.</param>
/// <param name="profiles">Whether to measure where the time of a step goes.</param>
internal sealed class TrainingJob(Recipe recipe, string recipeName, string folder, bool resume, bool profiles)
{
    /// <summary>Does it.</summary>
    /// <returns>The exit code.</returns>
    public int Run(CommandContext context) => LaunchedProcesses.Run(context, WhatIsLeft, processes => Run(context, processes));

    private string WhatIsLeft()
    {
        var run = new RunFolder(folder);
        return run.HasCheckpoint ? $"the checkpoint is {run.Latest}; the same command with --resume goes on" : "there is no checkpoint yet";
    }

    private int Run(CommandContext context, Collective processes)
    {
        var run = new RunFolder(folder);
        var mode = resume ? ResumeMode.Auto : ResumeMode.Restart;
        using var device = context.OpenDevice();
        using var exchange = LaunchedProcesses.Connect(processes, device);
        if (!processes.IsLead)
        {
            using var follower = Trainer.Open(recipe, folder, device, mode, cancellation: context.Stop);
            return follower.Run(cancellation: context.Stop).End == TrainingEnd.Cancelled ? context.Interruption.ExitCode : ExitCode.Ok;
        }

        NoteMemory(device, context);
        using var trainer = WorkDisplay.Run(context, "loading audio", loading => Trainer.Open(recipe, folder, device, mode, loading, context.Stop));
        trainer.Profile = profiles ? new StepProfile() : null;
        var outcome = TrainingDisplay.Run(context, progress => trainer.Run(progress, context.Stop));
        var memory = device.Memory;
        if (outcome.End == TrainingEnd.Cancelled)
        {
            context.Error.WriteLine($"Interrupted after step {outcome.Step}; the checkpoint is {run.Latest}; the same command with --resume goes on.");
            return context.Interruption.ExitCode;
        }

        var result = Evaluate(trainer.Model, context, out var table, out var before, out var trials);
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
            new("Recipe", recipeName), new("Seed", $"{recipe.Training.Seed}"), new("Steps", $"{outcome.Step}"),
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
    private void NoteMemory(Device device, CommandContext context)
    {
        string corpus = Path.Combine(recipe.Data.Root, recipe.Data.Pack ?? recipe.Data.Train);
        if (!Path.Exists(corpus))
        {
            return;
        }

        var share = recipe.Training with { Batch = recipe.Training.Batch / device.Collective.Ranks };
        var memory = TrainingMemory.Estimate(recipe with { Training = share }, Classes());
        string host = memory.HostPerUtterance > 0 ? $", and {memory.HostPerUtterance} bytes of host memory for each utterance" : "";
        context.Note($"needs about {memory.Device >> 20} MiB on the device: {memory.Parameters >> 20} for parameters and queues, {memory.Step >> 20} for a step{host}");
        long free = device.Memory.Free ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (memory.Device > free)
        {
            context.Error.WriteLine($"warning: only {free >> 20} MiB are free on {device.Name}: use a smaller training.batch, data.cropSeconds or encoder.");
        }
    }

    // Before the corpus is there: what the files say.
    private int Classes() => recipe.Objective.Kind != ObjectiveKind.Supervised ? 0
        : recipe.Data.Labels.File is { } labels ? LabelFile.Read(Path.Combine(recipe.Data.Root, labels)).Clusters
        : recipe.Data.Pack is null ? Manifest.Load(Path.Combine(recipe.Data.Root, recipe.Data.Train), recipe.Data.Root).Utterances.Select(u => u.Speaker).OfType<string>().Distinct().Count()
        : 0;

    /// <summary>Scores the recipe's trial list once, at the end, if it is there. A training that succeeded does not fail for it.</summary>
    private EvaluationResult? Evaluate(
        SpeakerModel model, CommandContext context, out EmbeddingTable? table, out EvaluationResult? before, out TrialSet? trials)
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
            var start = recipe.FineTune.Model is { } pretrained ? SpeakerModel.Load(pretrained, model.Device) : model.Untrained(recipe.Training.Seed);
            before = Scoring.Run(trials, start, context, out _);
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
        string made = float.IsNaN(outcome.Loss) ? "all of them made before" : $"loss {outcome.Loss:F3}, {outcome.UtterancesPerSecond:F0} utterances/s";
        output.WriteLine($"{end}: {outcome.Step} steps, {outcome.Epochs} epochs, {made}");
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
