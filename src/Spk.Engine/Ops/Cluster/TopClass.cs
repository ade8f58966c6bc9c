using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Cluster;

/// <summary>The most probable class of every row of logits, and its probability.</summary>
public static partial class TopClass
{
    /// <summary>Finds them.</summary>
    /// <param name="logits">f32 [N, K], K above 0; rows may be strided (channel views).</param>
    /// <param name="labels">Receives the class with the highest logit, i32 [N]; the lowest of equals.</param>
    /// <param name="probabilities">Receives its softmax, f32 [N], 1/K to 1; NaN where a logit is.</param>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void Forward(Tensor logits, Tensor labels, Tensor probabilities)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(probabilities);
        int rows = logits.Shape.Rank == 2 ? logits.Shape[0] : -1;
        if (rows < 0 || logits.Shape[1] < 1 || labels.ElementType != ElementType.Int32 || labels.Count != rows
            || probabilities.ElementType != ElementType.Float32 || probabilities.Count != rows)
        {
            throw new ShapeException(
                $"The top class needs logits [N, K], labels i32 [N] and probabilities f32 [N], not {logits.Shape}, {labels.ElementType} {labels.Shape} and {probabilities.ElementType} {probabilities.Shape}.");
        }

        if (logits.Device is CudaDevice cuda)
        {
            CudaForward(cuda, logits, labels, probabilities);
        }
        else
        {
            CpuForward(Cpu.Of(logits.Device), logits, labels, probabilities);
        }
    }
}
