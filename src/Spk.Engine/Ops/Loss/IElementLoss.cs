using System.Runtime.Intrinsics;
using Spk.Engine.Devices.Cuda;

namespace Spk.Engine.Ops.Loss;

/// <summary>A function of the difference of two elements, 0 with slope 0 where they are equal: what <see cref="ElementLosses"/> averages.</summary>
internal interface IElementLoss
{
    /// <summary>Its kernel for the sums of rows.</summary>
    static abstract KernelId SumsKernel { get; }

    /// <summary>Its kernel for the gradient.</summary>
    static abstract KernelId GradientKernel { get; }

    /// <summary>The function.</summary>
    static abstract Vector512<float> Value(Vector512<float> difference);

    /// <summary>Its derivative.</summary>
    static abstract Vector512<float> Slope(Vector512<float> difference);
}
