using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class DialogueCompactness
{
    private const string Source = "loss/dialogue_compactness";
    private const int WarpsOfBlock = 4, Threads = 256;

    private static readonly KernelId CosinesKernel = new(Source, "dialogue_compactness_cosines");
    private static readonly KernelId WeightsKernel = new(Source, "dialogue_compactness_weights");

    private static void CudaForward(CudaDevice cuda, Tensor rows, int utterances, Tensor compactness)
    {
        var unit = cuda.Workspace.Rent(rows.Shape);
        L2Normalize.CudaForward(cuda, rows, unit, cuda.Workspace.Rent(new Shape(rows.Shape[0])), NormFloor);
        cuda.Launch(
            CosinesKernel, new LaunchShape((compactness.Count + WarpsOfBlock - 1) / WarpsOfBlock, 32 * WarpsOfBlock), unit.Address, utterances,
            compactness.Count, rows.Shape[1], compactness.Address);
    }

    private static void CudaWeigh(CudaDevice cuda, Tensor compactness, Tensor? state, in DialogueWeightOptions options, Tensor? slope, Tensor weights) =>
        cuda.Launch(
            WeightsKernel, new LaunchShape(1, Threads), compactness.Address, compactness.Count, state?.Address ?? 0, (int)options.Rule, slope?.Address ?? 0, options.Slope,
            options.Threshold, options.Momentum, options.KeptOf(compactness.Count), options.Normalize ? 1 : 0, weights.Address);
}
