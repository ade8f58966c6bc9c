using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>What one step of an objective shows besides its loss; comparable between objectives.</summary>
/// <param name="PositiveCosine">Mean cosine of positives (SimCLR) or with the own class (supervised).</param>
/// <param name="NegativeCosine">Mean cosine of negatives (SimCLR) or with all classes (supervised).</param>
/// <param name="HitRate">Share of rows whose positive has the highest cosine, 0 to 1.</param>
public readonly record struct ObjectiveStatistics(float PositiveCosine, float NegativeCosine, float HitRate);

/// <summary>What an objective is built for.</summary>
/// <param name="EmbeddingSize">Elements of an embedding.</param>
/// <param name="Speakers">Speakers of the training manifest; 0 where it names none.</param>
/// <param name="Views">Crops of an utterance in a batch.</param>
public readonly record struct ObjectiveContext(int EmbeddingSize, int Speakers, int Views);

/// <summary>
/// Turns the embeddings of a batch into a loss. An objective may own parameters (a classifier, a projector); the trainer
/// owns the step, so that no objective has a training loop of its own.
/// </summary>
public abstract class Objective
{
    /// <summary>Prefix of the names of an objective's parameters.</summary>
    public const string Prefix = "objective.";

    /// <summary>Figures of the last <see cref="Loss"/>; read them before the workspace is reset.</summary>
    public ObjectiveStatistics Statistics =>
        new(LastStatistics.MeanPositiveCosine, LastStatistics.MeanNegativeCosine, LastStatistics.TopOneRate);

    /// <summary>Figures of the last loss, still on the device.</summary>
    protected SimilarityStatistics LastStatistics { get; set; }

    /// <summary>Makes the objective a recipe asks for and declares its parameters.</summary>
    /// <param name="spec">Kind and settings.</param>
    /// <param name="context">What it is built for.</param>
    /// <param name="parameters">Where parameters are declared, before allocation; their names start with <see cref="Prefix"/>.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="InvalidOptionException">The corpus does not have what the objective needs.</exception>
    public static Objective Create(ObjectiveSpec spec, ObjectiveContext context, ParameterSet parameters)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(parameters);
        return spec.Kind switch
        {
            ObjectiveKind.SimClr => new SimClr(spec, context),
            _ => new SpeakerClassifier(spec, context, parameters),
        };
    }

    /// <summary>Brings to the device what the loss needs to know of a batch besides its embeddings, such as labels.</summary>
    /// <param name="batch">The batch.</param>
    public virtual void Prepare(TrainingBatch batch) { }

    /// <summary>The loss of the batch that was prepared last, recorded on the tape. May be recorded and replayed: it reads nothing from the host.</summary>
    /// <param name="tape">Where backward steps are recorded; null to evaluate only.</param>
    /// <param name="embeddings">f32 [V·B, D], view-major, not normalised.</param>
    /// <param name="margin">Margin of this step.</param>
    /// <returns>A tensor of one element.</returns>
    public abstract Tensor Loss(Tape? tape, Tensor embeddings, float margin);
}
