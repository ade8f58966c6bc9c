using Spk.Engine.Alignment;
using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Training.Alignment;

/// <summary>A map in training: Linear – batch norm – ReLU – Linear beside a linear map, and unit length.</summary>
internal sealed class AlignmentNetwork
{
    // BatchNormLayer's.
    private const double NormEpsilon = 1e-5;

    private readonly LinearLayer _hidden, _output;
    private readonly BatchNormLayer _norm;
    private readonly Parameter _skip;
    private readonly int _inputs, _outputs;

    public AlignmentNetwork(ParameterSet parameters, string name, int inputs, int outputs, int hidden)
    {
        (_inputs, _outputs) = (inputs, outputs);
        _skip = parameters.Add(name + ".skip.weight", new Shape(outputs, inputs), Initializer.XavierNormal(inputs, outputs));
        _hidden = new LinearLayer(parameters, name + ".hidden", inputs, hidden);
        _norm = new BatchNormLayer(parameters, name + ".norm", hidden);
        _output = new LinearLayer(parameters, name + ".output", hidden, outputs);
    }

    /// <summary>The linear map beside the perceptron, [outputs, inputs].</summary>
    public Tensor Skip => _skip.Value;

    /// <summary>Makes it a linear map for now: the perceptron gives 0 until it is trained.</summary>
    /// <param name="weight">[outputs, inputs].</param>
    public void StartFrom(ReadOnlySpan<float> weight)
    {
        _skip.ImportFrom(weight);
        _output.Weight.ImportFrom(new float[_output.Weight.Shape.Count]);
        _output.Bias.ImportFrom(new float[_outputs]);
    }

    /// <summary>Maps unit rows [N, inputs] to unit rows [N, outputs].</summary>
    public Tensor Forward(Tape? tape, Tensor x, bool training)
    {
        var hidden = _hidden.Forward(tape, x, _norm, training);
        hidden = Activation.Forward(tape, hidden, ActivationKind.Relu, output: hidden);
        var sum = Add.Forward(tape, Linear.Forward(tape, x, _skip.Value, null), _output.Forward(tape, hidden));
        return L2Normalize.Forward(tape, sum);
    }

    /// <summary>The same map for use: in inference the batch norm is an affine map, which becomes part of the hidden layer.</summary>
    public AlignmentMap Fold()
    {
        float[] weight = Values(_hidden.Weight), bias = Values(_hidden.Bias);
        float[] gamma = Values(_norm.Gamma!), beta = Values(_norm.Beta!), mean = Values(_norm.RunningMean), variance = Values(_norm.RunningVariance);
        for (int h = 0; h < bias.Length; h++)
        {
            double scale = gamma[h] / Math.Sqrt(variance[h] + NormEpsilon);
            for (int i = 0; i < _inputs; i++)
            {
                weight[(h * _inputs) + i] = (float)(weight[(h * _inputs) + i] * scale);
            }

            bias[h] = (float)(((bias[h] - mean[h]) * scale) + beta[h]);
        }

        return new AlignmentMap(_inputs, Values(_skip), Values(_output.Bias), weight, bias, Values(_output.Weight));
    }

    private static float[] Values(Parameter parameter)
    {
        var values = new float[parameter.Shape.Count];
        parameter.ExportTo(values);
        return values;
    }
}
