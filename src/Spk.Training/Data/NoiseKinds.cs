namespace Spk.Training.Data;

/// <summary>Kinds of noise recordings.</summary>
[Flags]
internal enum NoiseKinds
{
    None = 0,
    Noise = 1,
    Speech = 2,
    Music = 4,
    All = Noise | Speech | Music,
}
