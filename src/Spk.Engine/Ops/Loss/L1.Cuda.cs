using Spk.Engine.Devices.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class L1
{
    private readonly partial struct Absolute
    {
        public static KernelId SumsKernel { get; } = new("loss/l1", "l1_sums");

        public static KernelId GradientKernel { get; } = new("loss/l1", "l1_gradient");
    }
}
