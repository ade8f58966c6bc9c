using Spk.Engine.Models;
using Spk.Engine.Tensors;

namespace Spk.Tests.Support;

/// <summary>Reference arrays are [N, C, T]; ours are [N, T, C].</summary>
public static class Layout
{
    /// <summary>Swaps the last two axes of a three-axis array.</summary>
    public static float[] Swap(NpyArray array) => Swap(array.ToSingle(), new Shape(array.Shape[0], array.Shape[1], array.Shape[2]));

    public static float[] Swap(float[] values, Shape shape)
    {
        var swapped = new float[values.Length];
        for (int n = 0; n < shape[0]; n++)
        {
            for (int i = 0; i < shape[1]; i++)
            {
                for (int j = 0; j < shape[2]; j++)
                {
                    swapped[(((n * shape[2]) + j) * shape[1]) + i] = values[(((n * shape[1]) + i) * shape[2]) + j];
                }
            }
        }

        return swapped;
    }
}
