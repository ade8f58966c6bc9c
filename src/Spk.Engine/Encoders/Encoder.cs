using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Encoders;

/// <summary>A network from features to one embedding an utterance.</summary>
/// <remarks>
/// Parameter names end in weight, bias, running_mean and running_var as in PyTorch; convolution kernels are
/// [Co, Ci, k] in files. The names ahead of them are listed at <see cref="TdnnEncoder"/>, <see cref="EcapaEncoder"/>,
/// <see cref="ResNetEncoder"/> and <see cref="GruEncoder"/>.
/// </remarks>
public abstract class Encoder
{
    private protected Encoder(EncoderSpec spec) => Spec = spec;

    /// <summary>What this encoder was made from.</summary>
    public EncoderSpec Spec { get; }

    /// <summary>Elements of an embedding.</summary>
    public int EmbeddingSize => Spec.EmbeddingSize;

    /// <summary>The shortest utterance, in frames, that the encoder accepts.</summary>
    public abstract int MinimumFrames { get; }

    /// <summary>Declares an encoder's parameters; the caller then calls <see cref="ParameterSet.Allocate"/>.</summary>
    /// <param name="spec">Its shape.</param>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="prefix">What all names begin with.</param>
    /// <returns>The encoder.</returns>
    /// <exception cref="InvalidOptionException">The spec is out of range.</exception>
    public static Encoder Create(EncoderSpec spec, ParameterSet parameters, string prefix = "encoder.")
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(parameters);
        spec.Validate();
        return spec.Kind switch
        {
            "ecapa" => new EcapaEncoder(spec, parameters, prefix),
            "resnet" => new ResNetEncoder(spec, parameters, prefix),
            "gru" => new GruEncoder(spec, parameters, prefix),
            _ => new TdnnEncoder(spec, parameters, prefix),
        };
    }

    /// <summary>Embeds a batch of utterances of equal length.</summary>
    /// <param name="tape">Where the backward pass is recorded; null for inference.</param>
    /// <param name="features">f32 [N, T, F] with F the spec's bins and T at least <see cref="MinimumFrames"/>.</param>
    /// <param name="training">Whether batch norm uses, and records, the statistics of this batch.</param>
    /// <param name="pooledMix">How pooled vectors are mixed with each other ahead of the layers that embed them (l-mix); null leaves them.</param>
    /// <returns>Embeddings, f32 [N, E], not normalised; valid until the workspace is reset.</returns>
    /// <exception cref="ShapeException">The features have other bins, or too few frames.</exception>
    public Tensor Forward(Tape? tape, Tensor features, bool training, RowMix? pooledMix = null)
    {
        ArgumentNullException.ThrowIfNull(features);
        Check(features);
        var pooled = Pool(tape, features, training);
        return Embed(tape, pooledMix is { } mix ? MixRows.Forward(tape, pooled, mix) : pooled, training);
    }

    private protected void Check(Tensor features)
    {
        if (features.Shape.Rank != 3 || features.Shape[2] != Spec.Bins)
        {
            throw new ShapeException($"The encoder was made for features [N, T, {Spec.Bins}], not {features.Shape}.");
        }

        if (features.Shape[1] < MinimumFrames)
        {
            throw new ShapeException($"The encoder needs at least {MinimumFrames} frames an utterance, not {features.Shape[1]}: use longer audio.");
        }
    }

    // From features to a vector an utterance, [N, P].
    private protected abstract Tensor Pool(Tape? tape, Tensor features, bool training);

    // From there to embeddings.
    private protected abstract Tensor Embed(Tape? tape, Tensor pooled, bool training);
}
