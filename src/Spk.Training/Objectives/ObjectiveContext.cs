using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Tensors;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>What an objective is built for: device, encoder, corpus and the sizes of the run.</summary>
public sealed record ObjectiveContext
{
    /// <summary>Where it trains.</summary>
    public required Device Device { get; init; }

    /// <summary>The encoder to train.</summary>
    public required EncoderSpec Encoder { get; init; }

    /// <summary>The training corpus: speakers and sessions, for supervision, oracles and diagnostics. Null where there is none: no speaker is known.</summary>
    public Corpus? Corpus { get; init; }

    /// <summary>Indices of the utterances that are trained on; empty for all of the corpus.</summary>
    public IReadOnlyList<int> Utterances { get; init; } = [];

    /// <summary>Classes of the utterances, for classifiers; null for the corpus' speakers.</summary>
    public ClassLabels? Labels { get; init; }

    /// <summary>What the rows of a batch are, where they are dialogues or speakers; else null.</summary>
    public UtteranceGroups? Groups { get; init; }

    /// <summary>Rows of a batch, B.</summary>
    public required int Batch { get; init; }

    /// <summary>Crops of a row in a batch, V.</summary>
    public int Views { get; init; } = 2;

    /// <summary>Short crops of an utterance in a batch, Vₗ.</summary>
    public int LocalViews { get; init; }

    /// <summary>Steps of an epoch.</summary>
    public int BatchesPerEpoch { get; init; } = 1;

    /// <summary>Epochs of the run.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>The run's seed.</summary>
    public ulong Seed { get; init; }

    /// <summary>Speakers that the corpus names.</summary>
    public int Speakers => Corpus?.Speakers.Count ?? 0;

    /// <summary>Steps of the whole run.</summary>
    public long Steps => (long)Epochs * BatchesPerEpoch;
}

/// <summary>Where in a run a step lies.</summary>
/// <param name="Step">Steps done before.</param>
/// <param name="Epoch">Epoch, from 0.</param>
/// <param name="Margin">Margin of the step.</param>
public readonly record struct StepPlace(long Step, long Epoch, float Margin = 0);

/// <summary>Features of a batch.</summary>
/// <param name="Views">f32 [V·B, T, F], view-major.</param>
/// <param name="LocalViews">Those of the short crops, f32 [Vₗ·B, Tₗ, F], or null.</param>
/// <param name="References">Those of the clean segments, f32 [B, Tᵣ, F], or null.</param>
public readonly record struct StepFeatures(Tensor Views, Tensor? LocalViews = null, Tensor? References = null);

/// <summary>What one step of an objective shows besides its loss; NaN where an objective has no such figure.</summary>
/// <param name="PositiveCosine">Mean cosine of positives (contrastive) or with the own class (supervised).</param>
/// <param name="NegativeCosine">Mean cosine of negatives (contrastive) or with all classes (supervised).</param>
/// <param name="HitRate">Share of rows whose positive has the highest cosine, 0 to 1; DINO: share of pairs of views with the same best prototype.</param>
/// <param name="TeacherEntropy">DINO: entropy of the teacher's distributions, nats: 0 when all mass lies on one prototype, ln K when it is uniform.</param>
/// <param name="Divergence">DINO: Kullback-Leibler divergence of the student from the teacher, nats.</param>
public readonly record struct ObjectiveStatistics(
    float PositiveCosine, float NegativeCosine, float HitRate, float TeacherEntropy = float.NaN, float Divergence = float.NaN);
