using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class AttentiveStatsPool
{
    private const string CudaSource = "encoder/attentive_stats_pool";
    private const int CudaChannels = 32, CudaLanes = 8;

    // Frames and channels of a tile of scores; a block has twice as many threads.
    private const int CudaTile = 64;

    // Where they take no more, a block's rows of the weight stay in shared memory: two blocks then fit a multiprocessor of compute capability 8.0.
    private const int MostSharedBytes = 76 * 1024;

    // Enough blocks for a large GPU (132 multiprocessors, two blocks each), but no part of an utterance so short that a block reads more of the weight than
    // of the hidden units. Constants, not the device's own numbers: the parts, and so the bits, follow from the shape alone.
    private const int WantedBlocks = 264, ShortestPart = 2 * CudaTile;

    private static readonly KernelId AddSharedKernel = new(CudaSource, "attentive_stats_pool_add_shared");
    private static readonly KernelId SumSharedKernel = new(CudaSource, "attentive_stats_pool_sum_shared");
    private static readonly KernelId MergeKernel = new(CudaSource, "attentive_stats_pool_merge");

    // By precision.
    private static readonly KernelId[] ForwardKernels = ByPrecision("attentive_stats_pool_forward");
    private static readonly KernelId[] BackwardKernels = ByPrecision("attentive_stats_pool_backward");

    private static void CudaAddShared(CudaDevice cuda, Tensor hidden, Tensor shared) =>
        cuda.Launch(
            AddSharedKernel, ElementTiles.Of(hidden.Shape), hidden.Address, hidden.RowStride, shared.Address, shared.RowStride, hidden.Shape.Rows,
            hidden.Shape[1], hidden.Shape[2]);

    private static void CudaSharedBackward(CudaDevice cuda, Tensor gradient, Tensor shared, bool accumulate) =>
        cuda.Launch(
            SumSharedKernel, new LaunchShape(CudaGemm.DivideUp(gradient.Shape[2], CudaChannels), CudaChannels, gradient.Shape[0], BlockY: CudaLanes),
            gradient.Address, gradient.RowStride, gradient.Shape[1], gradient.Shape[2], shared.Address, shared.RowStride, accumulate ? 1 : 0);

    // Gives [3, N, C]: highest score, one over the sum of the exponentials, mean about the first frame.
    private static Tensor CudaPool(CudaDevice cuda, Tensor x, Tensor hidden, Tensor weight, Tensor bias, Tensor y, Tensor variances, float eps)
    {
        int items = x.Shape[0], frames = x.Shape[1], channels = x.Shape[2];
        var problem = new AttentionProblem(x, hidden, weight, bias);
        var shape = problem.Blocks(cuda.Precision);
        var softmax = cuda.Workspace.Rent(new Shape(3, items, channels));
        var partial = cuda.Workspace.Rent(new Shape(shape.GridZ, 4, items, channels));
        cuda.Launch(ForwardKernels[(int)cuda.Precision], shape, KernelArgument.Structure(&problem), partial.Address);
        cuda.Launch(
            MergeKernel, new LaunchShape(CudaGemm.DivideUp(channels, shape.BlockX), shape.BlockX, items), partial.Address, shape.GridZ, x.Address,
            x.RowStride, frames, channels, eps, y.Address, variances.Address, softmax.Address);
        return softmax;
    }

    private static Tensor CudaPoolBackward(CudaDevice cuda, PoolNode node, Tensor dy, Tensor? dx, bool accumulate)
    {
        var problem = new AttentionProblem(node.X, node.Hidden, node.Weight, node.Bias);
        var scoreGradient = cuda.Workspace.Rent(node.X.Shape);
        var gradient = new AttentionGradient
        {
            Softmax = node.Softmax.Data,
            Y = node.Y.Data,
            Variances = node.Variances.Data,
            Dy = dy.Data,
            Dx = dx is null ? null : dx.Data,
            ScoreGradient = scoreGradient.Data,
            StrideDy = dy.RowStride,
            StrideDx = dx?.RowStride ?? 0,
            StrideScoreGradient = scoreGradient.RowStride,
            Accumulate = accumulate ? 1 : 0,
            Eps = node.Eps,
        };
        cuda.Launch(
            BackwardKernels[(int)cuda.Precision], problem.Blocks(cuda.Precision), KernelArgument.Structure(&problem), KernelArgument.Structure(&gradient));
        return scoreGradient;
    }

    private static KernelId[] ByPrecision(string stem) =>
        [.. Enum.GetValues<Precision>().Select(precision => new KernelId(CudaSource, $"{stem}_{precision.ToString().ToLowerInvariant()}", MostSharedBytes))];

    // Field by field the AttentionProblem of the kernels.
    [StructLayout(LayoutKind.Sequential)]
    private struct AttentionProblem
    {
        public float* X, Hidden, Weight, Bias;
        public int Stride, StrideHidden, StrideWeight;
        public int Items, Frames, Channels, Width;
        public int Each, Resident;

        public AttentionProblem(Tensor x, Tensor hidden, Tensor weight, Tensor bias)
        {
            X = x.Data;
            Hidden = hidden.Data;
            Weight = weight.Data;
            Bias = bias.Data;
            (Stride, StrideHidden, StrideWeight) = (x.RowStride, hidden.RowStride, weight.RowStride);
            (Items, Frames, Channels, Width) = (x.Shape[0], x.Shape[1], x.Shape[2], hidden.Shape[2]);
        }

        // Blocks (tiles of channels, utterances, parts of the frames), and with them how long a part is and where the weight's rows are.
        public LaunchShape Blocks(Precision precision)
        {
            int tiles = CudaGemm.DivideUp(Channels, CudaTile);
            int parts = Math.Clamp(WantedBlocks / Math.Max(1, tiles * Items), 1, Math.Max(1, Frames / ShortestPart));
            Each = CudaGemm.DivideUp(CudaGemm.DivideUp(Frames, parts), CudaTile) * CudaTile;
            int ring = CudaGemm.RingBytes(precision, CudaTile);
            int all = Math.Max(1, CudaGemm.DivideUp(Width, CudaGemm.TileK)) * CudaGemm.TileBytes(precision, CudaTile);
            Resident = ring + all <= MostSharedBytes ? 1 : 0;
            return new LaunchShape(
                tiles, 2 * CudaTile, Items, CudaGemm.DivideUp(Frames, Each), SharedBytes: ring + (Resident != 0 ? all : ring));
        }
    }

    // Field by field the AttentionGradient of the kernels.
    [StructLayout(LayoutKind.Sequential)]
    private struct AttentionGradient
    {
        public float* Softmax, Y, Variances, Dy, Dx, ScoreGradient;
        public int StrideDy, StrideDx, StrideScoreGradient, Accumulate;
        public float Eps;
    }
}
