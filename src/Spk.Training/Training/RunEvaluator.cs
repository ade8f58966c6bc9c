using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Training;

/// <summary>What <see cref="RunEvaluator"/> found.</summary>
/// <param name="Checkpoint">The file that was evaluated.</param>
/// <param name="Embeddings">An embedding for every utterance of the trial list.</param>
/// <param name="Result">Error rates.</param>
public sealed record RunEvaluation(string Checkpoint, EmbeddingTable Embeddings, EvaluationResult Result);

/// <summary>Measures a model on a trial list: audio → embeddings → cosine → error rates.</summary>
public static class RunEvaluator
{
    /// <summary>Evaluates a run, a checkpoint or a model file.</summary>
    /// <param name="path">Run folder, checkpoint or model file.</param>
    /// <param name="trials">Path of the trial list.</param>
    /// <param name="root">Folder that its paths start from.</param>
    /// <param name="device">Where to run.</param>
    /// <param name="audio">Channels and resampling; null for mono files of the model's rate.</param>
    /// <param name="options">Groups and confidence intervals; null for the defaults.</param>
    /// <param name="progress">Told about the files embedded; may be null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>Embeddings and error rates.</returns>
    /// <exception cref="Interop.DataFormatException">The model, the list or a file cannot be used, or the list names files that are not there.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static RunEvaluation Evaluate(
        string path,
        string trials,
        string root,
        Device device,
        CorpusOptions? audio = null,
        EvaluationOptions? options = null,
        IProgress<DataProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        string checkpoint = SpeakerModel.Resolve(path);
        var list = TrialList.Read(trials);
        var utterances = TrialSet.Locate(list, root);
        var model = SpeakerModel.Load(checkpoint, device);
        var table = EmbeddingExtractor.Run(model, utterances, audio, progress, cancellation);
        return new RunEvaluation(checkpoint, table, TrialEvaluation.Run(list.Trials, table, options));
    }
}
