namespace Spk.Engine.Alignment;

/// <summary>How embeddings of two models are made comparable.</summary>
public enum AlignmentVariant
{
    /// <summary>C: both go into a space of their own, by networks.</summary>
    Shared,

    /// <summary>A: runtime embeddings go into the space of the enrolment model, by a network.</summary>
    ToEnrolment,

    /// <summary>B: enrolment embeddings, or stored profiles, go into the space of the runtime model, by a network.</summary>
    ToRuntime,

    /// <summary>Linear baseline: the smaller space is rotated into the larger one (orthogonal Procrustes).</summary>
    Procrustes,

    /// <summary>Baseline: both are described by their cosines with the same speakers.</summary>
    SpeakerLogits,
}
