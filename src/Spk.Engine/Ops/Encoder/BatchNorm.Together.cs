using System.Numerics.Tensors;
using Spk.Engine.Collectives;
using Spk.Engine.Tensors;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Statistics over the rows of all processes that train together; all have the same number of rows.</summary>
public static partial class BatchNorm
{
    private static void MeasureTogether(
        Collective collective, Tensor x, Tensor statistics, float slope, Tensor runningMean, Tensor runningVariance, float momentum, float eps)
    {
        int rows = x.Shape.Rows, channels = x.Shape.Last, ranks = collective.Ranks;
        var device = x.Device;

        // With a weight of 1 the running statistics become this process's own: mean and unbiased variance.
        var moments = device.Workspace.Rent(new Shape(2, channels));
        device.Zero(moments);
        Tensor mean = moments.Slice(0, 1), variance = moments.Slice(1, 1);
        Measure(x, statistics, slope, mean, variance, momentum: 1f, eps);
        var all = collective.Gather(moments);

        // Rank 0's place takes the merged moments: each is read before it is written.
        double biased = (rows - 1.0) / rows;
        for (int c = 0; c < channels; c++)
        {
            double centre = 0, spread = 0;
            for (int rank = 0; rank < ranks; rank++)
            {
                centre += all[(rank * 2 * channels) + c] / (double)ranks;
            }

            for (int rank = 0; rank < ranks; rank++)
            {
                double away = all[(rank * 2 * channels) + c] - centre;
                spread += ((biased * all[(((rank * 2) + 1) * channels) + c]) + (away * away)) / ranks;
            }

            all[c] = (float)centre;
            all[channels + c] = (float)spread;
        }

        var merged = all[..(2 * channels)];
        moments.CopyFrom(merged);
        Recall(statistics, mean, variance, eps);

        // Then the running statistics, with the unbiased variance of all rows.
        double allRows = (double)rows * ranks;
        TensorPrimitives.Multiply(merged[channels..], (float)(allRows / (allRows - 1)), merged[channels..]);
        Move(runningMean, merged[..channels], momentum, all[(2 * channels)..(3 * channels)]);
        Move(runningVariance, merged[channels..], momentum, all[(2 * channels)..(3 * channels)]);
    }

    private static void Move(Tensor running, ReadOnlySpan<float> to, float momentum, Span<float> scratch)
    {
        running.CopyTo(scratch);
        TensorPrimitives.Multiply(scratch, 1f - momentum, scratch);
        TensorPrimitives.MultiplyAdd(to, momentum, scratch, scratch);
        running.CopyFrom(scratch);
    }

    // The gradient's offset and factor (all but the scale) are means over rows, so those over all rows are their averages.
    private static void ShareFactors(Node node, Tensor factors)
    {
        var collective = factors.Device.Collective;
        if (node.Training && collective.Ranks > 1)
        {
            collective.Average(factors.Slice(1, 2));
        }
    }
}
