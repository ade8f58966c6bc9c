using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Collectives;

/// <content>The CUDA side.</content>
public static partial class GatherViews
{
    private const string CudaSource = "collectives/gather_views";

    private static readonly KernelId PlaceKernel = new(CudaSource, "gather_views_place");
    private static readonly KernelId TakeKernel = new(CudaSource, "gather_views_take");

    private static void CudaPlace(CudaDevice cuda, Tensor gathered, Tensor y, int ranks, int views) => cuda.Launch(
        PlaceKernel, ElementTiles.Of(y.Shape), gathered.Address, y.Address, ranks, views, y.Shape.Rows / ranks / views, y.Shape.Last);

    private static void CudaTake(CudaDevice cuda, Tensor dy, Tensor dx, int views, bool accumulate) => cuda.Launch(
        TakeKernel, ElementTiles.Of(dx.Shape), dy.Address, dx.Address, cuda.Collective.Rank, cuda.Collective.Ranks, views, dx.Shape.Rows / views, dx.Shape.Last,
        accumulate ? 1 : 0);
}
