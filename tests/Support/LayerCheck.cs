using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Tests.Support;

/// <summary>The gradient check for ops that read <see cref="Parameter"/>s.</summary>
public static class LayerCheck
{
    public delegate Tensor Op(Tape tape, Tensor[] inputs, Parameter[] parameters);

    /// <summary>Parameters with given values, allocated.</summary>
    public static Parameter[] Parameters(Device device, params (string Name, Shape Shape, float[] Values)[] values)
    {
        var set = new ParameterSet(device);
        var parameters = values.Select(v => set.Add(v.Name, v.Shape, Initializer.Constant(0f))).ToArray();
        set.Allocate(1);
        for (int i = 0; i < values.Length; i++)
        {
            parameters[i].Value.CopyFrom(values[i].Values);
        }

        return parameters;
    }

    /// <summary>A buffer with one value in every element.</summary>
    public static Parameter Buffer(Device device, int length, float value) => Parameters(device, ("buffer", new Shape(length), Constant(length, value)))[0];

    public static float[] Constant(int count, float value)
    {
        var values = new float[count];
        Array.Fill(values, value);
        return values;
    }

    /// <summary>Compares the output and every gradient with an f64 reference over (inputs, then parameters).</summary>
    public static void Run(
        Device device,
        (string Name, Shape Shape, float[] Values)[] inputs,
        (string Name, Shape Shape, float[] Values)[] parameters,
        Op op,
        Func<double[][], double[]> reference,
        double relative = Tolerance.Gradient)
    {
        var tape = new Tape();
        var variables = inputs.Select(i => Samples.Variable(device, i.Shape, i.Values)).ToArray();
        var weights = Parameters(device, parameters);
        var values = inputs.Concat(parameters).Select(i => Samples.ToDouble(i.Values)).ToArray();
        var y = op(tape, variables, weights);
        double[] want = reference(values);
        Close.Assert(Samples.Read(y), want, relative * Math.Max(want.Max(Math.Abs), 1e-3), "output");

        var dy = Samples.Normal(991, y.Count);
        y.GradForWrite(out _).CopyFrom(dy);
        GradientCheck.Backward(tape);
        for (int k = 0; k < values.Length; k++)
        {
            var numeric = GradientCheck.Differences(values, k, v => Dot(reference(v), dy));
            var tensor = k < variables.Length ? variables[k] : weights[k - variables.Length].Value;
            string name = k < variables.Length ? inputs[k].Name : parameters[k - variables.Length].Name;
            Assert.That(tensor.Grad, Is.Not.Null, $"gradient of {name}");
            Close.Assert(Samples.Read(tensor.Grad!), numeric, relative * Math.Max(numeric.Max(Math.Abs), 1e-3), $"gradient of {name}");
        }
    }

    private static double Dot(double[] y, float[] dy)
    {
        double sum = 0;
        for (int i = 0; i < y.Length; i++)
        {
            sum += y[i] * dy[i];
        }

        return sum;
    }
}
