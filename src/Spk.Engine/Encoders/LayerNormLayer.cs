using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>Layer norm with its parameters <c>weight</c> and <c>bias</c> [C], 1 and 0 at first as in PyTorch.</summary>
public sealed class LayerNormLayer
{
    /// <summary>Declares the parameters.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="channels">Channels.</param>
    public LayerNormLayer(ParameterSet parameters, string name, int channels)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        Gamma = parameters.Add(name + ".weight", new Shape(channels), Initializer.Constant(1f));
        Beta = parameters.Add(name + ".bias", new Shape(channels), Initializer.Constant(0f));
    }

    /// <summary>Scale [C].</summary>
    public Parameter Gamma { get; }

    /// <summary>Offset [C].</summary>
    public Parameter Beta { get; }

    /// <summary>Normalises every row.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">[..., C].</param>
    /// <returns>[..., C].</returns>
    public Tensor Forward(Tape? tape, Tensor x) => LayerNorm.Forward(tape, x, Gamma, Beta);
}
