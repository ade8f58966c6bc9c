using Spk.Engine.Devices.Cuda;
using Spk.Engine.Features;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Features;

public static partial class FeatureNorm
{
    private const string CudaSource = "features/feature_norm";
    private const int CudaBands = 32, CudaLanes = 8;

    private static readonly KernelId ForwardKernel = new(CudaSource, "feature_norm_forward");
    private static readonly KernelId BackwardKernel = new(CudaSource, "feature_norm_backward");

    private static void CudaForward(CudaDevice cuda, Tensor x, Tensor y, Tensor? inverse, FeatureNormalization kind, float eps) =>
        cuda.Launch(
            ForwardKernel, PerUtterance(x.Shape), x.Address, y.Address, inverse?.Address ?? 0, x.Shape[1], x.Shape[2],
            kind == FeatureNormalization.Instance ? 1 : 0, eps);

    private static void CudaBackward(CudaDevice cuda, Tensor y, Tensor dy, Tensor? inverse, Tensor dx, bool accumulate) =>
        cuda.Launch(
            BackwardKernel, PerUtterance(y.Shape), y.Address, dy.Address, inverse?.Address ?? 0, dx.Address, y.Shape[1], y.Shape[2], accumulate ? 1 : 0);

    private static LaunchShape PerUtterance(Shape x) => new((x[2] + CudaBands - 1) / CudaBands, CudaBands, x[0], BlockY: CudaLanes);
}
