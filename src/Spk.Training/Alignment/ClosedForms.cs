using System.Numerics.Tensors;
using Spk.Engine.Alignment;

namespace Spk.Training.Alignment;

/// <summary>Alignments that need no training.</summary>
internal static class ClosedForms
{
    /// <summary>
    /// Orthogonal Procrustes (Schönemann 1966): R = U·Vᵀ with XᵀY = U·Σ·Vᵀ makes the rows of X·R closest to those of Y.
    /// </summary>
    /// <returns>R, [enrolment size, runtime size].</returns>
    public static double[] Rotation(AlignmentData data)
    {
        int wide = data.EnrolmentSize, high = data.RuntimeSize;
        var product = new double[wide * high];
        var row = new double[high];
        for (int i = 0; i < data.Count; i++)
        {
            TensorPrimitives.ConvertTruncating(data.RuntimeRows.Slice(i * high, high), row);
            for (int d = 0; d < wide; d++)
            {
                var line = product.AsSpan(d * high, high);
                TensorPrimitives.MultiplyAdd(row, (double)data.EnrolmentRows[(i * wide) + d], line, line);
            }
        }

        return OrthogonalFactor.Of(product, wide, high);
    }

    /// <summary>x → x·R.</summary>
    public static float[] ToRuntime(double[] rotation, AlignmentData data)
    {
        var weight = new float[rotation.Length];
        for (int o = 0; o < data.RuntimeSize; o++)
        {
            for (int d = 0; d < data.EnrolmentSize; d++)
            {
                weight[(o * data.EnrolmentSize) + d] = (float)rotation[(d * data.RuntimeSize) + o];
            }
        }

        return weight;
    }

    /// <summary>y → y·Rᵀ.</summary>
    public static float[] ToEnrolment(double[] rotation) => Array.ConvertAll(rotation, value => (float)value);

    /// <summary>The rotation alone, of the smaller space into the larger one, which loses nothing.</summary>
    public static (AlignmentMap? Enrolment, AlignmentMap? Runtime) Procrustes(AlignmentData data)
    {
        double[] rotation = Rotation(data);
        return data.EnrolmentSize <= data.RuntimeSize
            ? (new AlignmentMap(data.EnrolmentSize, ToRuntime(rotation, data), new float[data.RuntimeSize]), null)
            : (null, new AlignmentMap(data.RuntimeSize, ToEnrolment(rotation), new float[data.EnrolmentSize]));
    }

    /// <summary>
    /// Cosines with the centroids of the same speakers in each model, less their mean over the utterances: l_a = cos(x, p_a) − mean.
    /// </summary>
    public static (AlignmentMap Enrolment, AlignmentMap Runtime) SpeakerLogits(AlignmentData data)
    {
        return (Logits(data.EnrolmentRows, data.EnrolmentSize), Logits(data.RuntimeRows, data.RuntimeSize));

        AlignmentMap Logits(ReadOnlySpan<float> rows, int size)
        {
            var mean = new float[size];
            for (int i = 0; i < data.Count; i++)
            {
                TensorPrimitives.Add(mean, rows.Slice(i * size, size), mean);
            }

            TensorPrimitives.Divide(mean, data.Count, mean);
            var centroids = new float[data.Speakers.Count * size];
            var offsets = new float[data.Speakers.Count];
            for (int s = 0; s < offsets.Length; s++)
            {
                var centroid = centroids.AsSpan(s * size, size);
                AlignmentBatches.Mean(rows, size, data.Utterances[s], 0, data.Utterances[s].Length, centroid);
                offsets[s] = -TensorPrimitives.Dot<float>(mean, centroid);
            }

            return new AlignmentMap(size, centroids, offsets);
        }
    }
}
