using System.Numerics.Tensors;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Inputs of benchmarks, the same in every run.</summary>
internal static class Inputs
{
    /// <summary>Uniform values from −1 to 1 on a device.</summary>
    public static Tensor Random(Device device, Shape shape, ulong seed)
    {
        var tensor = device.AllocatePersistent(shape);
        var random = new CounterRandom(seed, RandomPurpose.Initialization);
        float[] values = new float[shape.Count];
        foreach (ref float value in values.AsSpan())
        {
            value = random.NextFloat(-1f, 1f);
        }

        tensor.CopyFrom(values);
        return tensor;
    }

    /// <summary>
    /// Rows of separation × their cluster's centre + normal noise, scaled to length 1. The default is the weak structure of the peers' scripts, with which Lloyd
    /// does not reach its fixed point within the timed iterations.
    /// </summary>
    public static float[] Blobs(int count, int dimension, int clusters, ulong seed, float separation = 0.3f)
    {
        var random = new CounterRandom(seed, RandomPurpose.Initialization);
        float[] centres = new float[clusters * dimension], rows = new float[count * dimension];
        foreach (ref float value in centres.AsSpan())
        {
            value = random.NextNormal();
        }

        for (int i = 0; i < count; i++)
        {
            var row = rows.AsSpan(i * dimension, dimension);
            var centre = centres.AsSpan(random.NextInt(clusters) * dimension, dimension);
            for (int d = 0; d < dimension; d++)
            {
                row[d] = (separation * centre[d]) + random.NextNormal();
            }

            TensorPrimitives.Divide(row, TensorPrimitives.Norm(row), row);
        }

        return rows;
    }

    /// <summary>Utterances of silence: what is done to samples does not depend on them.</summary>
    public sealed class SilentSource(int count, int samples) : PcmSource
    {
        private readonly short[] _samples = GC.AllocateArray<short>(samples, pinned: true);

        public override int Count => count;

        public override ReadOnlySpan<short> Utterance(int index) => _samples;
    }
}
