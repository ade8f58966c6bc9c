using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class OneClassSoftmax
{
    private const float NormFloor = 1e-12f;
    private const int CudaThreads = 256;

    private static readonly KernelId RowsKernel = new("loss/one_class_softmax", "one_class_softmax_rows");

    private static void CudaForward(
        CudaDevice cuda, Tensor embeddings, Tensor weight, Tensor labels, Tensor? weights, in OneClassOptions options, in Saved saved, Tensor loss, Tensor statistics)
    {
        int rows = embeddings.Shape[0], classes = weight.Shape[0], width = weight.Shape[1], block = BlockOf(classes);
        L2Normalize.CudaForward(cuda, embeddings, saved.Unit, saved.Norms, NormFloor);
        L2Normalize.CudaForward(cuda, weight, saved.UnitWeight, saved.WeightNorms, NormFloor);
        var tile = cuda.Workspace.Rent(new Shape(Math.Min(block, rows), classes));
        var results = cuda.Workspace.Rent(new Shape(2 * 4, rows)); // f64
        var hits = cuda.Workspace.Rent(new Shape(rows), ElementType.Int32);
        var keys = MatrixView.Of(saved.UnitWeight.Data, classes, width, width);
        int hardest = options.Reduction == OneClassReduction.MeanAll ? 0 : options.Hardest;
        for (int start = 0; start < rows; start += block)
        {
            // What a product splits and adds up is free for the next one: the stream runs them in order. Cosines are never rounded.
            var before = cuda.Workspace.Position;
            int count = Math.Min(block, rows - start);
            var queries = MatrixView.Of(saved.Unit.Data + ((nint)start * width), count, width, width);
            CudaGemm.Multiply(cuda, queries, keys.Transposed, tile.Data, classes, accumulate: false, precision: Precision.Fp32);
            cuda.Launch(
                RowsKernel, new LaunchShape(count, CudaThreads), tile.Address, classes, labels.Address, weights?.Address ?? 0, start, rows, hardest, options.TargetCosine,
                options.OtherCosine, options.Scale, results.Address, hits.Address);
            var derivatives = MatrixView.Of(tile.Data, count, classes, classes);
            if (saved.UnitWeightGradient is { } weightGradient)
            {
                CudaGemm.Multiply(cuda, derivatives.Transposed, queries, weightGradient.Data, width, accumulate: start > 0, precision: Precision.Fp32);
            }

            if (saved.UnitGradient is { } unitGradient)
            {
                CudaGemm.Multiply(
                    cuda, derivatives, keys, unitGradient.Data + ((nint)start * width), width, accumulate: false, precision: Precision.Fp32);
            }

            cuda.Workspace.Advance(before);
        }

        CudaCosineSoftmax.Summarize(cuda, rows, results, hits, loss, statistics);
    }

    private static void CudaPass(
        CudaDevice cuda, Tensor target, bool accumulate, Tensor unit, Tensor norms, Tensor unitGradient, Tensor lossGradient) =>
        L2Normalize.CudaBackward(cuda, unit, norms, unitGradient, target, NormFloor, accumulate, lossGradient);
}
