using Spk.Engine.Devices.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class MeanSquared
{
    private readonly partial struct Squared
    {
        public static KernelId SumsKernel { get; } = new("loss/mean_squared", "mean_squared_sums");

        public static KernelId GradientKernel { get; } = new("loss/mean_squared", "mean_squared_gradient");
    }
}
