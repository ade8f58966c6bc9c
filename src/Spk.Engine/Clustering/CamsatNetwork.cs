using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>The classifier of CAMSAT: hidden layers of linear map, batch norm and ReLU, then a linear map to the logits of K clusters.</summary>
internal sealed class CamsatNetwork
{
    // Predictions are uniform at first, so that no cluster starts ahead.
    private const float LastDeviation = 1e-4f;

    private const float Momentum = 0.1f;

    private readonly LinearLayer[] _layers;
    private readonly BatchNormLayer[] _norms;

    /// <summary>Declares the parameters; the caller then takes memory for them.</summary>
    public CamsatNetwork(ParameterSet parameters, int dimension, CamsatOptions options)
    {
        Parameters = parameters;
        _layers = new LinearLayer[options.HiddenLayers + 1];
        _norms = new BatchNormLayer[options.HiddenLayers];
        int inputs = dimension;
        for (int i = 0; i < _norms.Length; i++)
        {
            _layers[i] = new LinearLayer(parameters, $"hidden.{i}.linear", inputs, options.HiddenWidth);
            _norms[i] = new BatchNormLayer(parameters, $"hidden.{i}.norm", options.HiddenWidth);
            inputs = options.HiddenWidth;
        }

        _layers[^1] = new LinearLayer(parameters, "clusters", inputs, options.Clusters, LastDeviation);
    }

    public ParameterSet Parameters { get; }

    /// <summary>Logits by the statistics of the batch, which the running ones follow where they are asked to.</summary>
    public Tensor Train(Tape? tape, Tensor x, bool updateStatistics) => Train(tape, x, updateStatistics, out _);

    /// <summary>The same, and the last hidden layer.</summary>
    public Tensor Train(Tape? tape, Tensor x, bool updateStatistics, out Tensor hidden) =>
        Forward(tape, x, training: true, updateStatistics ? Momentum : 0, out hidden);

    /// <summary>Logits by the running statistics.</summary>
    public Tensor Predict(Tensor x) => Forward(null, x, training: false, 0, out _);

    /// <summary>Whether a backward pass makes gradients of the weights, which a pass to the input alone can do without.</summary>
    public void WantWeightGradients(bool wanted)
    {
        foreach (var layer in _layers)
        {
            (layer.Weight.Value.RequiresGrad, layer.Bias.Value.RequiresGrad) = (wanted, wanted);
        }
    }

    private Tensor Forward(Tape? tape, Tensor x, bool training, float momentum, out Tensor hidden)
    {
        for (int i = 0; i < _norms.Length; i++)
        {
            var norm = _norms[i];
            x = _layers[i].Forward(tape, x);
            x = BatchNorm.Forward(tape, x, norm.Gamma, norm.Beta, norm.RunningMean, norm.RunningVariance, training, momentum);
            x = Activation.Forward(tape, x, ActivationKind.Relu, output: x);
        }

        hidden = x;
        return _layers[^1].Forward(tape, x);
    }
}
