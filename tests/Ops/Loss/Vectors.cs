using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

/// <summary>The inputs of methods.md section 18.</summary>
internal static class Vectors
{
    /// <summary>Z_v[i][d] = sin(0.5 + 1.1 i + 0.7 d + 0.4 i d + 0.6 v), [4, 5].</summary>
    public static Tensor Views(Device device, int view)
    {
        var values = new float[20];
        for (int i = 0; i < 4; i++)
        {
            for (int d = 0; d < 5; d++)
            {
                values[(i * 5) + d] = (float)Math.Sin(0.5 + (1.1 * i) + (0.7 * d) + (0.4 * i * d) + (0.6 * view));
            }
        }

        return Samples.Variable(device, new Shape(4, 5), values);
    }

    /// <summary>W[k][d] = cos(0.3 + 0.8 k + 0.5 d + 0.2 k d), [3, 5].</summary>
    public static Tensor Weights(Device device)
    {
        var values = new float[15];
        for (int k = 0; k < 3; k++)
        {
            for (int d = 0; d < 5; d++)
            {
                values[(k * 5) + d] = (float)Math.Cos(0.3 + (0.8 * k) + (0.5 * d) + (0.2 * k * d));
            }
        }

        return Samples.Variable(device, new Shape(3, 5), values);
    }
}
