using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Recipes;

namespace Spk.Training.Checkpoints;

/// <summary>
/// Where a run stands, besides its tensors. Nothing in it depends on the clock, the host or the thread count, so that equal runs
/// write equal bytes.
/// </summary>
internal sealed record CheckpointState
{
    private const string RecipeKey = "recipe", StepKey = "step", ClosedKey = "closed_epochs", BatchesKey = "batches_per_epoch", SeedKey = "seed",
        DeviceKey = "device_kind", CorpusKey = "corpus", BestKey = "best_eer", BestStepKey = "best_step", StaleKey = "evaluations_without_improvement",
        OptimizerStepsKey = "optimizer_steps", EpochKey = "epoch", BatchKey = "batch";

    /// <summary>The run's recipe.</summary>
    public required Recipe Recipe { get; init; }

    /// <summary>Steps done.</summary>
    public required long Step { get; init; }

    /// <summary>Epochs whose evaluation and bookkeeping are done.</summary>
    public required int ClosedEpochs { get; init; }

    /// <summary>Steps of one epoch.</summary>
    public required int BatchesPerEpoch { get; init; }

    /// <summary>"cpu" or "cuda": bits are equal on one kind only.</summary>
    public required string DeviceKind { get; init; }

    /// <summary>Fingerprint of the training utterances, their order and lengths.</summary>
    public required string Corpus { get; init; }

    /// <summary>Steps the optimizer has counted.</summary>
    public required long OptimizerSteps { get; init; }

    /// <summary>Best development EER so far.</summary>
    public required EarlyStop EarlyStop { get; init; }

    /// <summary>Identifies a corpus by ids, speakers and lengths, by what its rows are where they are no utterances, and by pseudo-labels.</summary>
    public static string Fingerprint(Corpus corpus, UtteranceGroups? groups, ClassLabels? labels = null)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < corpus.Count; i++)
        {
            var utterance = corpus.Utterances[i];
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{utterance.Id}\n{utterance.Speaker}\n{corpus.LengthOf(i)}\n")));
        }

        for (int g = 0; g < (groups?.Utterances.Length ?? 0); g++)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{groups!.Devices[g]}:{string.Join(' ', groups.Utterances[g])}\n")));
        }

        if (labels is not null)
        {
            hash.AppendData(MemoryMarshal.AsBytes(labels.All));
        }

        return $"{corpus.Count} utterances, sha256 {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}";
    }

    public void WriteTo(IDictionary<string, string> metadata)
    {
        metadata[RecipeKey] = Recipe.ToYaml();
        metadata[StepKey] = Text(Step);
        metadata[EpochKey] = Text(Step / BatchesPerEpoch);
        metadata[BatchKey] = Text(Step % BatchesPerEpoch);
        metadata[ClosedKey] = Text(ClosedEpochs);
        metadata[BatchesKey] = Text(BatchesPerEpoch);
        metadata[SeedKey] = Recipe.Training.Seed.ToString(CultureInfo.InvariantCulture);
        metadata[DeviceKey] = DeviceKind;
        metadata[CorpusKey] = Corpus;
        metadata[OptimizerStepsKey] = Text(OptimizerSteps);
        metadata[BestKey] = double.IsFinite(EarlyStop.Best) ? EarlyStop.Best.ToString("R", CultureInfo.InvariantCulture) : "none";
        metadata[BestStepKey] = Text(EarlyStop.BestStep);
        metadata[StaleKey] = Text(EarlyStop.Stale);
    }

    public static CheckpointState ReadFrom(SafetensorsFile file)
    {
        if (!file.Metadata.TryGetValue(ModelKeys.Format, out string? format) || format != ModelKeys.CheckpointFormat)
        {
            throw new DataFormatException(format == ModelKeys.ModelFormat
                ? $"{file.Path} is a model file without optimizer state: training resumes from a checkpoint, such as checkpoints/latest.safetensors."
                : $"{file.Path} is no Spk checkpoint: its metadata lacks format = {ModelKeys.CheckpointFormat}.");
        }

        string best = Required(file, BestKey);
        return new CheckpointState
        {
            Recipe = Recipe.Parse(Required(file, RecipeKey), $"{file.Path}, recipe"),
            Step = Number(file, StepKey),
            ClosedEpochs = (int)Number(file, ClosedKey),
            BatchesPerEpoch = (int)Number(file, BatchesKey),
            DeviceKind = Required(file, DeviceKey),
            Corpus = Required(file, CorpusKey),
            OptimizerSteps = Number(file, OptimizerStepsKey),
            EarlyStop = new EarlyStop(
                best == "none" ? double.PositiveInfinity : double.Parse(best, CultureInfo.InvariantCulture),
                Number(file, BestStepKey),
                (int)Number(file, StaleKey)),
        };
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Required(SafetensorsFile file, string key) => file.Metadata.TryGetValue(key, out string? value)
        ? value
        : throw new DataFormatException($"{file.Path}: its metadata lacks '{key}': the checkpoint is damaged or of another version.");

    private static long Number(SafetensorsFile file, string key) =>
        long.TryParse(Required(file, key), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            ? value
            : throw new DataFormatException($"{file.Path}: its metadata '{key}' is '{Required(file, key)}', not a number: the checkpoint is damaged.");
}
