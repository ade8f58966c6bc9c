using Spk.Engine.Ops.Encoder;
using Spk.Interop;

namespace Spk.Engine.Encoders;

/// <summary>The shape of a <see cref="Projector"/>.</summary>
public sealed record ProjectorSpec
{
    /// <summary>Elements of an embedding, above 0.</summary>
    public int Inputs { get; init; } = 512;

    /// <summary>Width of the layers between, above 0.</summary>
    public int Hidden { get; init; } = 2048;

    /// <summary>Elements of a projection, above 0.</summary>
    public int Outputs { get; init; } = 512;

    /// <summary>Linear maps, 1 or more; each but the last is followed by batch norm and <see cref="Activation"/>.</summary>
    public int Layers { get; init; } = 3;

    /// <summary>What follows each batch norm: ReLU, or GELU for DINO.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Relu;

    /// <summary>Deviation of normal initial weights, biases being zero (DINO: 0.02); null for PyTorch's uniform ones.</summary>
    public float? InitialDeviation { get; init; }

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it and what is allowed.</exception>
    public void Validate()
    {
        Positive("inputs", Inputs);
        Positive("hidden", Hidden);
        Positive("outputs", Outputs);
        Positive("layers", Layers);
    }

    private static void Positive(string field, int value)
    {
        if (value < 1)
        {
            throw new InvalidOptionException($"projector.{field} = {value}: it must be 1 or more.");
        }
    }
}
