using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Cluster;

public static partial class TopClass
{
    private const int CudaThreads = 256;

    private static readonly KernelId RowsKernel = new("cluster/top_class", "top_class_rows");

    private static void CudaForward(CudaDevice cuda, Tensor logits, Tensor labels, Tensor probabilities) =>
        cuda.Launch(
            RowsKernel, new LaunchShape(logits.Shape[0], CudaThreads), logits.Address, logits.RowStride, logits.Shape[1], labels.Address, probabilities.Address);
}
