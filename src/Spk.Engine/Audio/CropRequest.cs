namespace Spk.Engine.Audio;

/// <summary>Which samples of which utterance one row of a batch holds.</summary>
/// <param name="Utterance">Index in the <see cref="PcmSource"/>.</param>
/// <param name="Start">First sample, 0 to the utterance's length − 1.</param>
/// <param name="Gain">Factor on the samples, finite; 1 leaves them.</param>
/// <param name="Speed">Reading speed, 0.25 to 4: 1.1 sounds 10 % faster and higher and uses 10 % more input samples.</param>
public readonly record struct CropRequest(int Utterance, int Start, float Gain = 1f, float Speed = 1f);
