using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Encoders;

/// <summary>
/// Gated recurrent units in one direction, layer upon layer, with the names and the order of gates of PyTorch's GRU: layer i has
/// <c>weight_ih_l{i}</c>, <c>weight_hh_l{i}</c>, <c>bias_ih_l{i}</c> and <c>bias_hh_l{i}</c>.
/// </summary>
public sealed class GruLayers
{
    private readonly GruParameters[] _layers;

    /// <summary>Declares the parameters, uniform in ±1/√units as in PyTorch.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="inputs">Channels of the input.</param>
    /// <param name="units">Units of every layer.</param>
    /// <param name="layers">Number of layers.</param>
    /// <exception cref="InvalidOptionException">A number is below 1.</exception>
    public GruLayers(ParameterSet parameters, string name, int inputs, int units, int layers = 1)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (inputs < 1 || units < 1 || layers < 1)
        {
            throw new InvalidOptionException(string.Create(
                CultureInfo.InvariantCulture, $"A GRU of {layers} layers of {units} units over {inputs} channels is not possible: each number must be 1 or more."));
        }

        var uniform = Initializer.UniformFanIn(units);
        _layers = new GruParameters[layers];
        for (int i = 0; i < layers; i++)
        {
            string suffix = string.Create(CultureInfo.InvariantCulture, $"_l{i}");
            _layers[i] = new GruParameters(
                parameters.Add($"{name}.weight_ih{suffix}", new Shape(3 * units, i == 0 ? inputs : units), uniform),
                parameters.Add($"{name}.weight_hh{suffix}", new Shape(3 * units, units), uniform),
                parameters.Add($"{name}.bias_ih{suffix}", new Shape(3 * units), uniform),
                parameters.Add($"{name}.bias_hh{suffix}", new Shape(3 * units), uniform));
        }
    }

    /// <summary>The layers' parameters, the first layer first.</summary>
    public IReadOnlyList<GruParameters> Layers => _layers;

    /// <summary>Runs all layers over all frames.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">f32 [N, T, inputs].</param>
    /// <param name="initial">States before the first frame, f32 [layers, N, units]; null for zeros.</param>
    /// <returns>States of the last layer after every frame, f32 [N, T, units].</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    public Tensor Forward(Tape? tape, Tensor x, Tensor? initial = null)
    {
        if (initial is not null && (initial.Shape.Rank != 3 || initial.Shape[0] != _layers.Length))
        {
            throw new ShapeException($"A GRU of {_layers.Length} layers needs first states [{_layers.Length}, N, units], not {initial.Shape}.");
        }

        for (int i = 0; i < _layers.Length; i++)
        {
            x = Gru.Forward(tape, x, _layers[i], initial?.Slice(i, 1));
        }

        return x;
    }
}
