using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Training.Alignment;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>Carries out the alignment of two finished runs of an experiment.</summary>
internal static class AlignmentRun
{
    private const string AlignmentEmbeddings = "alignment.npy";

    public static RunFigures Execute(SystemRun run, Device device, IProgress<DataProgress>? embedding, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        var (enrolment, runtime) = run.Aligns!.Value;
        var manifest = Manifest.Load(Path.Combine(run.Recipe.Data.Root, run.Recipe.Data.Train), run.Recipe.Data.Root);
        Utterance[] utterances = SpeakerPart.Parse(run.Recipe.Data.SpeakerPart) is { } part
            ? [.. part.Choose(manifest.Utterances, run.Seed).Select(i => manifest.Utterances[i])]
            : [.. manifest.Utterances];
        var (x, enrolmentModel) = Embed(enrolment);
        var (y, runtimeModel) = Embed(runtime);
        var speakers = utterances.ToDictionary(u => u.Id, u => u.Speaker, StringComparer.Ordinal);

        // Products this small are faster on one thread.
        using var one = device is CpuDevice ? new CpuDevice(1) : null;
        var outcome = AlignmentTrainer.Run(
            AlignmentData.Join(x, y, speakers.GetValueOrDefault),
            enrolmentModel,
            runtimeModel,
            run.System.Alignment!.Spec with { Seed = run.Seed },
            one ?? device,
            cancellation: cancellation);

        run.Folder.Create();
        AtomicFile.WriteText(run.Folder.Recipe, run.Recipe.ToYaml());
        AtomicFile.WriteText(run.AlignmentSpec, run.System.Alignment.Spec + "\n");
        outcome.Aligner.Save(Path.Combine(run.Folder.Path, "aligner.safetensors"));

        // What is stored are profiles: the mean is mapped, not its parts.
        var trials = RunTrials.Open(run);
        float[] scores = TrialEvaluation.Score(
            trials.Trials,
            outcome.Aligner.MapEnrolments(trials.Enrolments(EmbeddingTable.Load(enrolment.Embeddings))),
            outcome.Aligner.MapRuntimes(EmbeddingTable.Load(runtime.Embeddings)),
            cancellation: cancellation);
        ScoreFile.Write(run.Folder.Scores, trials.Trials, scores);
        var quantities = new Dictionary<string, double>(StringComparer.Ordinal)
        {
            ["alignmentSpeakers"] = outcome.Speakers,
            ["alignmentUtterances"] = outcome.Utterances,
            ["bestEpoch"] = outcome.BestEpoch,
        };
        return new RunFigures
        {
            Steps = Math.Max(0, outcome.Epochs.Count - 1),
            Seconds = watch.Elapsed.TotalSeconds,
            UtterancesPerSecond = 0,
            Device = device.Name,
            Quantities = quantities,
        };

        // All alignments of two models learn from the same embeddings.
        (EmbeddingTable Table, string Identity) Embed(SystemRun source)
        {
            var model = SpeakerModel.Load(source.Folder.Path, device);
            string path = Path.Combine(source.Folder.Path, AlignmentEmbeddings);
            if (File.Exists(path) && EmbeddingTable.Load(path) is var stored && stored.Ids.SequenceEqual(utterances.Select(u => u.Id)))
            {
                return (stored, model.ComputeIdentity());
            }

            var table = EmbeddingExtractor.Run(model, utterances, run.Recipe.CorpusOptions, embedding, cancellation);
            table.Save(path);

            // What was stored has been scaled to unit length twice: every alignment shall see the same bits.
            return (EmbeddingTable.Load(path), model.ComputeIdentity());
        }
    }
}
