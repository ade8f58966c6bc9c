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
