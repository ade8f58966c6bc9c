using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Loss;

/// <summary>The centroid of one dialogue, the same without each of its rows in turn, and the cosines of the rows with those.</summary>
/// <remarks>Sums instead of means: they point the same way.</remarks>
internal unsafe struct Ge2eCentroids : IParallelBody
{
    public float* Unit, Members, Centroids, CentroidNorms, Others, OtherNorms, OwnCosines;
    public int MemberStride, Dialogues, Utterances, Width;
    public float NormFloor;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        var sum = Vector(Centroids, index, Width);
        Vector(Members, index, MemberStride).CopyTo(sum);
        for (int u = 1; u < Utterances; u++)
        {
            TensorPrimitives.Add(sum, Vector(Members, (u * Dialogues) + index, MemberStride), sum);
        }

        for (int u = 0; u < Utterances; u++)
        {
            int row = (u * Dialogues) + index;
            var others = Vector(Others, row, Width);
            TensorPrimitives.Subtract(sum, Vector(Members, row, MemberStride), others);
            OtherNorms[row] = Normalize(others);
            OwnCosines[row] = (float)UnitRows.Dot(Unit + ((nint)row * Width), Others + ((nint)row * Width), Width);
        }

        CentroidNorms[index] = Normalize(sum);
    }

    private readonly Span<float> Vector(float* of, int row, int stride) => new(of + ((nint)row * stride), Width);

    private readonly float Normalize(Span<float> x)
    {
        fixed (float* first = x)
        {
            float norm = MathF.Sqrt((float)UnitRows.Dot(first, first, Width));
            TensorPrimitives.Divide(x, norm < NormFloor ? NormFloor : norm, x); // A comparison keeps a NaN.
            return norm;
        }
    }
}
