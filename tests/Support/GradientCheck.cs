using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Tests.Support;

/// <summary>Central differences of a naive f64 reference against an op's backward pass.</summary>
public static partial class GradientCheck
{
    // A fixture is run once for each order of the emulator's threads, of which the reference knows nothing: it is asked for the same differences each time.
    private static readonly ConcurrentDictionary<(string Test, int Call, int Input, int Values), double[]> Known = new();

    private static readonly ConcurrentDictionary<string, int> Calls = new();

    /// <summary>
    /// Checks every input's gradient of sum(y * dy), where y is the op's output and dy fixed random numbers.
    /// </summary>
    /// <param name="device">Where the op runs.</param>
    /// <param name="inputs">Values of the inputs; f32 numbers, so that both sides see the same point.</param>
    /// <param name="op">Runs the op on variables made of the inputs and returns its output.</param>
    /// <param name="reference">The same function in f64 loops; returns the output elements.</param>
    /// <param name="relative">Limit relative to the largest gradient of each input.</param>
    public static void Run(
        Device device,
        (string Name, Shape Shape, float[] Values)[] inputs,
        Func<Tape, Tensor[], Tensor> op,
        Func<double[][], double[]> reference,
        double relative = Tolerance.Gradient)
    {
        var tape = new Tape();
        var variables = inputs.Select(i => Samples.Variable(device, i.Shape, i.Values)).ToArray();
        var y = op(tape, variables);
        var dy = Samples.Normal(991, y.Count);
        var values = inputs.Select(i => Samples.ToDouble(i.Values)).ToArray();

        double[] want = reference(values);
        double largest = want.Length == 0 ? 0 : want.Max(Math.Abs);
        Close.Assert(Samples.Read(y), want, relative * Math.Max(largest, 1e-3), "output");

        y.GradForWrite(out _).CopyFrom(dy);
        Backward(tape);
        for (int k = 0; k < inputs.Length; k++)
        {
            var numeric = Differences(values, k, v => Dot(reference(v), dy));
            var got = variables[k].Grad is { } grad ? Samples.Read(grad) : new float[variables[k].Count];
            double scale = Math.Max(numeric.Max(Math.Abs), 1e-3);
            Close.Assert(got, numeric, relative * scale, $"gradient of {inputs[k].Name}");
        }
    }

    /// <summary>
    /// d f / d values[k] by central differences. A test that runs again with another order of threads gets what its first run computed, so f must follow
    /// from the test and its arguments.
    /// </summary>
    public static double[] Differences(double[][] values, int k, Func<double[][], double> f)
    {
        var test = TestContext.CurrentContext.Test;
        int call = Calls.AddOrUpdate(test.ID, 1, (_, before) => before + 1);
        var hash = new HashCode();
        foreach (double[] one in values)
        {
            hash.AddBytes(MemoryMarshal.AsBytes(one.AsSpan()));
        }

        return [.. Known.GetOrAdd((Order().Replace(test.FullName, ""), call, k, hash.ToHashCode()), _ => Compute(values, k, f))];
    }

    /// <summary>Walks a tape back from gradients that the caller has set.</summary>
    public static void Backward(Tape tape) => tape.BackwardFromGradients();

    private static double[] Compute(double[][] values, int k, Func<double[][], double> f)
    {
        var gradient = new double[values[k].Length];
        for (int i = 0; i < gradient.Length; i++)
        {
            double kept = values[k][i];
            double step = 1e-5 * Math.Max(1, Math.Abs(kept));
            values[k][i] = kept + step;
            double above = f(values);
            values[k][i] = kept - step;
            double below = f(values);
            values[k][i] = kept;
            gradient[i] = (above - below) / (2 * step);
        }

        return gradient;
    }

    [GeneratedRegex("(ascending|descending|shuffled) threads")]
    private static partial Regex Order();

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
