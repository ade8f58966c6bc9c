using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class OneClassSoftmax
{
    private const float NormFloor = 1e-12f;
    private const int CudaThreads = 256;

    private static readonly KernelId RowsKernel = new("loss/one_class_softmax", "one_class_softmax_rows");

    private static void CudaForward(
        CudaDevice cuda, Tensor embeddings, Tensor weight, Tensor labels, Tensor? weights, in OneClassOptions options, in Saved saved, Tensor loss, Tensor statistics)
    {
        int rows = embeddings.Shape[0], classes = weight.Shape[0], block = RowSoftmax.BlockOf(classes);
        L2Normalize.CudaForward(cuda, embeddings, saved.Unit, saved.Norms, NormFloor);
        L2Normalize.CudaForward(cuda, weight, saved.UnitWeight, saved.WeightNorms, NormFloor);
        var tile = cuda.Workspace.Rent(new Shape(Math.Min(block, rows), classes));
        var results = cuda.Workspace.Rent(new Shape(2 * 4, rows)); // f64
        var hits = cuda.Workspace.Rent(new Shape(rows), ElementType.Int32);
        int hardest = options.Reduction == OneClassReduction.MeanAll ? 0 : options.Hardest;
        for (int start = 0; start < rows; start += block)
        {
            int count = Math.Min(block, rows - start);
            CudaCosineRows.Cosines(cuda, saved.Unit, saved.UnitWeight, start, count, tile);
            cuda.Launch(
                RowsKernel, new LaunchShape(count, CudaThreads), tile.Address, classes, labels.Address, weights?.Address ?? 0, start, rows, hardest, options.TargetCosine,
                options.OtherCosine, options.Scale, results.Address, hits.Address);
            CudaCosineRows.Gradients(cuda, tile, start, count, saved.Unit, saved.UnitWeight, saved.UnitGradient, saved.UnitWeightGradient);
        }

        CudaCosineSoftmax.Summarize(cuda, rows, results, hits, loss, statistics);
    }

    private static void CudaPass(
        CudaDevice cuda, Tensor target, bool accumulate, Tensor unit, Tensor norms, Tensor unitGradient, Tensor lossGradient) =>
        L2Normalize.CudaBackward(cuda, unit, norms, unitGradient, target, NormFloor, accumulate, lossGradient);
}
