namespace Spk.Training.Data;

/// <summary>One comparison of a verification test.</summary>
/// <param name="IsTarget">True when both utterances are of the same speaker.</param>
/// <param name="Enrolment">Id of the enrolment utterance.</param>
/// <param name="Test">Id of the test utterance.</param>
public readonly record struct Trial(bool IsTarget, string Enrolment, string Test);
