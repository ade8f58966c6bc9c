using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

/// <summary>Utterances of dialogues: golden arrays are [N, M, D], ops take [M·N, D].</summary>
internal static class Dialogues
{
    /// <summary>[N, M, ...] to [M, N, ...]; of gradients and values.</summary>
    public static float[] Swap(float[] values, int outer, int inner)
    {
        int width = values.Length / (outer * inner);
        var swapped = new float[values.Length];
        for (int i = 0; i < outer; i++)
        {
            for (int j = 0; j < inner; j++)
            {
                values.AsSpan(((i * inner) + j) * width, width).CopyTo(swapped.AsSpan(((j * outer) + i) * width));
            }
        }

        return swapped;
    }

    public static Tensor Rows(Device device, NpyArray e) => Samples.Variable(
        device, new Shape(e.Shape[0] * e.Shape[1], e.Shape[2]), Swap(e.ToSingle(), e.Shape[0], e.Shape[1]));

    public static Tensor Scalar(Device device, double value) => Samples.Variable(device, new Shape(1), [(float)value]);

    /// <summary>The two views of methods.md 18 as dialogues of two utterances, [8, 5].</summary>
    public static Tensor TwoViews(Device device) =>
        Samples.Variable(device, new Shape(8, 5), [.. Samples.Read(Vectors.Views(device, 0)), .. Samples.Read(Vectors.Views(device, 1))]);
}
