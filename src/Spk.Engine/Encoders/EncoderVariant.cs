namespace Spk.Engine.Encoders;

/// <summary>Whose details an encoder follows where implementations of the same paper differ.</summary>
public enum EncoderVariant
{
    /// <summary>
    /// The sslsv toolkit. TDNN: leaky ReLU, batch norm with scale and offset. ECAPA: reflect padding, first Res2 group
    /// untouched, batch norm after the aggregation and before the attention's tanh, variance floor 1e-12.
    /// </summary>
    Sslsv,

    /// <summary>
    /// The wespeaker toolkit. TDNN: ReLU, batch norm without scale and offset. ECAPA: zero padding, last Res2 group
    /// untouched, ReLU alone after the aggregation, nothing before the attention's tanh, context deviation
    /// √(unbiased variance + 1e-7), variance floor 1e-7.
    /// </summary>
    Wespeaker,
}
