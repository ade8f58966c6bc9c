namespace Spk.Engine.Audio;

/// <summary>A mono recording in memory.</summary>
/// <param name="Samples">Samples; integer formats map to [-1, 1), float formats keep their values.</param>
/// <param name="SampleRate">Samples per second, above 0.</param>
public sealed record AudioClip(float[] Samples, int SampleRate)
{
    /// <summary>Length in seconds.</summary>
    public double Seconds => (double)Samples.Length / SampleRate;
}
