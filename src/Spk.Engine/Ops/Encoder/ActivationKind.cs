namespace Spk.Engine.Ops.Encoder;

/// <summary>Element-wise non-linearities.</summary>
public enum ActivationKind
{
    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x above 0, slope·x elsewhere.</summary>
    LeakyRelu,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,

    /// <summary>1 / (1 + e^−x).</summary>
    Sigmoid,

    /// <summary>x·Φ(x) with the exact normal distribution function Φ (Hendrycks and Gimpel, arXiv:1606.08415).</summary>
    Gelu,
}
