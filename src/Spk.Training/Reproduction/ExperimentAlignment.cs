using Spk.Training.Alignment;

namespace Spk.Training.Reproduction;

/// <summary>
/// A system that is no training of an encoder: enrolments of one trained system are compared with tests of another one of the same seed, through
/// an aligner. It learns from the training utterances of its own recipe, whose <c>data.speakerPart</c> should be nobody else's.
/// </summary>
/// <param name="Enrolment">The system that embeds enrolments.</param>
/// <param name="Runtime">The system that embeds tests.</param>
/// <param name="Spec">How they are aligned; its seed is that of the run.</param>
public sealed record ExperimentAlignment(string Enrolment, string Runtime, AlignmentSpec Spec);
