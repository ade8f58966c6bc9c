namespace Spk.Engine.Devices;

/// <summary>How the inputs of matrix products and convolutions are rounded on a GPU. Sums, statistics, losses and weights are f32 always.</summary>
public enum Precision
{
    /// <summary>Not rounded: plain f32 arithmetic.</summary>
    Fp32,

    /// <summary>To 10 bits of mantissa, on tensor cores.</summary>
    Tf32,

    /// <summary>To 7 bits of mantissa, on tensor cores.</summary>
    Bf16,
}
