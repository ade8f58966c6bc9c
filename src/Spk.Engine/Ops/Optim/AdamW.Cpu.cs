using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

public static partial class AdamW
{
    private static void CpuStep(
        Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, long step, in AdamSettings settings, Tensor? undecayed, MovingAverage? average) =>
        Adam.Step(values, gradients, mean, meanSquare, step, settings, undecayed, average, decoupled: true);
}
