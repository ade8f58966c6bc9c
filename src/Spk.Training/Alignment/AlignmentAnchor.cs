namespace Spk.Training.Alignment;

/// <summary>Which of the two spaces the shared one is tied to.</summary>
public enum AlignmentAnchor
{
    /// <summary>That of the runtime model.</summary>
    Runtime,

    /// <summary>That of the enrolment model.</summary>
    Enrolment,

    /// <summary>Neither: a new space.</summary>
    None,
}
