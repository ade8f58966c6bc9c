namespace Spk.Engine.Encoders;

/// <summary>How a ResNet turns its last map into one vector an utterance.</summary>
public enum EncoderPooling
{
    /// <summary>Self-attentive pooling: mean over frequency, then the attention-weighted mean over time.</summary>
    Sap,

    /// <summary>Mean and deviation over time of every channel at every frequency.</summary>
    Stats,
}
