using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static partial class BatchNorm
{
    private const string CudaSource = "encoder/batch_norm";
    private const int CudaChannels = 32, CudaLanes = 8, MergeLanes = 16, CudaThreads = 128;

    private static readonly KernelId PartialKernel = new(CudaSource, "batch_norm_partial");
    private static readonly KernelId CombineKernel = new(CudaSource, "batch_norm_combine");
    private static readonly KernelId MergeKernel = new(CudaSource, "batch_norm_merge");
    private static readonly KernelId RecallKernel = new(CudaSource, "batch_norm_recall");
    private static readonly KernelId ScaleKernel = new(CudaSource, "batch_norm_scale");
    private static readonly KernelId ApplyKernel = new(CudaSource, "batch_norm_apply");
    private static readonly KernelId TimeMeansKernel = new(CudaSource, "batch_norm_time_means");
    private static readonly KernelId GradientPartialKernel = new(CudaSource, "batch_norm_gradient_partial");
    private static readonly KernelId GradientCombineKernel = new(CudaSource, "batch_norm_gradient_combine");
    private static readonly KernelId GradientApplyKernel = new(CudaSource, "batch_norm_gradient_apply");

    private static void CudaForward(
        CudaDevice cuda,
        Tensor x,
        Tensor y,
        Tensor statistics,
        Tensor? gamma,
        Tensor? beta,
        Tensor runningMean,
        Tensor runningVariance,
        bool training,
        float momentum,
        float eps,
        float slope,
        BatchNormEpilogue? measured,
        Tensor? addTo)
    {
        int rows = x.Shape.Rows, channels = x.Shape.Last;
        if (training)
        {
            int each = measured?.RowsEach ?? RowsEach(rows), chunks = (rows + each - 1) / each;
            var partial = measured?.Moments;
            if (partial is null)
            {
                partial = cuda.Workspace.Rent(new Shape(chunks, 3, channels));
                cuda.Launch(PartialKernel, Tiles(rows, channels), x.Address, x.RowStride, rows, channels, each, slope, partial.Address);
            }

            int ranks = cuda.Collective.Ranks;
            if (ranks > 1)
            {
                // To the others, all rows of a process are one chunk.
                var own = cuda.Workspace.Rent(new Shape(3, channels));
                cuda.Launch(MergeKernel, Merges(channels), partial.Address, chunks, each, rows, channels, own.Address);
                partial = cuda.Workspace.Rent(new Shape(ranks * 3, channels));
                cuda.Collective.Gather(own, partial);
                (chunks, each) = (ranks, rows);
            }

            cuda.Launch(
                CombineKernel, Merges(channels), partial.Address, chunks, each, ranks * rows, channels, momentum, eps, statistics.Address,
                runningMean.Address, runningVariance.Address);
        }
        else
        {
            cuda.Launch(RecallKernel, PerChannel(channels), runningMean.Address, runningVariance.Address, channels, eps, statistics.Address);
        }

        cuda.Launch(
            ApplyKernel, Tiles(rows, channels), x.Address, x.RowStride, y.Address, y.RowStride, rows, channels, RowsEach(rows), slope, statistics.Address,
            gamma?.Address ?? 0, beta?.Address ?? 0, addTo?.Address ?? 0, addTo?.RowStride ?? 0);
    }

    // The means over time [N, C] of the norm's result, where the map that made x [N, T, C] summed utterances: of its result where the norm was done there
    // (without statistics), else of what it measured.
    private static Tensor? CudaTimeMeans(CudaDevice cuda, BatchNormEpilogue epilogue, Tensor x, Tensor? statistics, Tensor? gamma, Tensor? beta)
    {
        if (epilogue.UtteranceSums is not { } sums)
        {
            return null;
        }

        var means = cuda.Workspace.Rent(new Shape(x.Shape[0], x.Shape.Last));
        cuda.Launch(
            TimeMeansKernel, PerChannel(means.Count), sums.Address, epilogue.Moments?.Address ?? 0, epilogue.RowsEach, x.Shape[0], x.Shape[1], x.Shape.Last,
            statistics?.Address ?? 0, gamma?.Address ?? 0, beta?.Address ?? 0, means.Address);
        return means;
    }

    private static void CudaScale(CudaDevice cuda, Tensor runningVariance, Tensor? gamma, float eps, Tensor scale) =>
        cuda.Launch(ScaleKernel, PerChannel(scale.Count), runningVariance.Address, gamma?.Address ?? 0, scale.Count, eps, scale.Address);

    private static void CudaBackward(CudaDevice cuda, Node node, Tensor dy, Tensor? more, Tensor? partial, Tensor? dx, bool accumulate, Tensor? sums)
    {
        var x = node.X;
        int rows = x.Shape.Rows, channels = x.Shape.Last, each = RowsEach(rows);
        var factors = cuda.Workspace.Rent(new Shape(3, channels));
        if (partial is null)
        {
            partial = cuda.Workspace.Rent(new Shape(Runs(rows), 2, channels));
            cuda.Launch(
                GradientPartialKernel, Tiles(rows, channels), x.Address, x.RowStride, dy.Address, dy.RowStride, more?.Address ?? 0,
                more?.RowStride ?? 0, rows, channels, each, node.Slope, node.Statistics.Address, partial.Address);
        }

        cuda.Launch(
            GradientCombineKernel, Merges(channels), partial.Address, partial.Shape[0], rows, channels, node.Training ? 1 : 0, node.Statistics.Address,
            node.Gamma?.Address ?? 0, node.Gamma?.GradForWrite(out _).Address ?? 0, node.Beta?.GradForWrite(out _).Address ?? 0, factors.Address);
        if (node.Training && cuda.Collective.Ranks > 1)
        {
            // All but the scale are means over rows, and all processes have as many.
            cuda.Collective.Average(factors.Slice(1, 2));
        }

        if (dx is not null)
        {
            cuda.Launch(
                GradientApplyKernel, Tiles(rows, channels), x.Address, x.RowStride, dy.Address, dy.RowStride, dx.Address, dx.RowStride,
                accumulate ? 1 : 0, rows, channels, each, node.Slope, node.Statistics.Address, factors.Address, sums?.Address ?? 0);
        }
    }

    private static LaunchShape Tiles(int rows, int channels)
    {
        int each = RowsEach(rows);
        return new LaunchShape((channels + CudaChannels - 1) / CudaChannels, CudaChannels, GridY: (rows + each - 1) / each, BlockY: CudaLanes);
    }

    private static LaunchShape Merges(int channels) => new((channels + CudaChannels - 1) / CudaChannels, CudaChannels, BlockY: MergeLanes);

    private static LaunchShape PerChannel(int channels) => new((channels + CudaThreads - 1) / CudaThreads, CudaThreads);
}
