using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Tests.Support;

/// <summary>Reproducible test inputs.</summary>
public static class Samples
{
    public static float[] Normal(int seed, int count, float scale = 1f)
    {
        var random = new CounterRandom((ulong)seed, RandomPurpose.Initialization);
        var values = new float[count];
        foreach (ref float value in values.AsSpan())
        {
            value = scale * random.NextNormal();
        }

        return values;
    }

    /// <summary>As many ±1 a row as the highest power of 4 in the width, from a place that moves from row to row: unit rows and cosines that every precision has.</summary>
    public static float[] Signs(int seed, int rows, int width)
    {
        float[] values = new float[rows * width], random = Normal(seed, rows * width);
        int count = 1;
        while (4 * count <= width)
        {
            count *= 4;
        }

        for (int i = 0; i < rows * count; i++)
        {
            int row = i / count, at = (row + (i % count)) % width;
            values[(row * width) + at] = Math.Sign(random[(row * width) + at]);
        }

        return values;
    }

    /// <summary>A workspace tensor with the given values that collects a gradient.</summary>
    public static Tensor Variable(Device device, Shape shape, ReadOnlySpan<float> values)
    {
        var tensor = device.Workspace.Rent(shape);
        tensor.CopyFrom(values);
        tensor.RequiresGrad = true;
        return tensor;
    }

    /// <summary>A workspace tensor without gradient.</summary>
    public static Tensor Constant(Device device, Shape shape, ReadOnlySpan<float> values)
    {
        var tensor = device.Workspace.Rent(shape);
        tensor.CopyFrom(values);
        return tensor;
    }

    public static float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Count];
        tensor.CopyTo(values);
        return values;
    }

    public static double[] ToDouble(ReadOnlySpan<float> values)
    {
        var doubles = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            doubles[i] = values[i];
        }

        return doubles;
    }
}
