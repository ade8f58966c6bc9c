namespace Spk.Engine.Ops.Loss;

/// <summary>How the logit of an anchor's positive (or of its class) is made harder to reach.</summary>
public enum MarginKind
{
    /// <summary>φ(c) = c.</summary>
    None,

    /// <summary>φ(c) = c − m (AM-Softmax, CosFace: Wang et al. 2018).</summary>
    Additive,

    /// <summary>
    /// φ(c) = cos(θ + m) where c = cos θ exceeds cos(π − m), else c − m·sin(π − m) (AAM-Softmax, ArcFace: Deng et al. 2019).
    /// </summary>
    AdditiveAngular,
}
