using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Loss;

/// <summary>The gradient by the rows of one dialogue, from those by unit rows and unit centroids.</summary>
/// <remarks>
/// With s the sum of the members x and d_i = s − x_i: dx_i = ds + Σ_{l≠i} dd_l, where ds and dd are the gradients through the norms of s and d.
/// </remarks>
internal unsafe struct Ge2eGradient : IParallelBody
{
    public float* Unit, Norms, Centroids, CentroidNorms, Others, OtherNorms, OwnCosines, OwnGradients, UnitGradient, CentroidGradient, Target;
    public int TargetStride, Dialogues, Utterances, Width;
    public bool Accumulate, NormalizesFirst;
    public float Factor, NormFloor;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        // What every member gets: ds and all of the dd.
        var common = Vector(CentroidGradient, index);
        ThroughNorm(Vector(Centroids, index), CentroidNorms[index], common);
        for (int u = 0; u < Utterances; u++)
        {
            AddOthers(common, (u * Dialogues) + index, 1);
        }

        for (int u = 0; u < Utterances; u++)
        {
            int row = (u * Dialogues) + index;
            var gradient = Vector(UnitGradient, row);
            TensorPrimitives.MultiplyAdd<float>(Vector(Others, row), OwnGradients[row], gradient, gradient);
            if (NormalizesFirst)
            {
                TensorPrimitives.Add(gradient, common, gradient);
                AddOthers(gradient, row, -1);
                ThroughNorm(Vector(Unit, row), Norms[row], gradient);
            }
            else
            {
                ThroughNorm(Vector(Unit, row), Norms[row], gradient);
                TensorPrimitives.Add(gradient, common, gradient);
                AddOthers(gradient, row, -1);
            }

            var target = new Span<float>(Target + ((nint)row * TargetStride), Width);
            if (Accumulate)
            {
                TensorPrimitives.MultiplyAdd<float>(gradient, Factor, target, target);
            }
            else
            {
                TensorPrimitives.Multiply(gradient, Factor, target);
            }
        }
    }

    private readonly Span<float> Vector(float* of, int row) => new(of + ((nint)row * Width), Width);

    // Adds sign · dd of a row: own · (û − o d̂) / ‖d‖, and below the floor own · û / 1e-12.
    private readonly void AddOthers(Span<float> to, int row, int sign)
    {
        bool floored = OtherNorms[row] < NormFloor;
        float factor = sign * OwnGradients[row] / (floored ? NormFloor : OtherNorms[row]);
        TensorPrimitives.MultiplyAdd<float>(Vector(Unit, row), factor, to, to);
        if (!floored)
        {
            TensorPrimitives.MultiplyAdd<float>(Vector(Others, row), -factor * OwnCosines[row], to, to);
        }
    }

    // Makes a gradient by a unit vector one by the vector, in place.
    private readonly void ThroughNorm(Span<float> unit, float norm, Span<float> gradient)
    {
        bool floored = norm < NormFloor;
        if (!floored)
        {
            TensorPrimitives.MultiplyAdd<float>(unit, -TensorPrimitives.Dot<float>(unit, gradient), gradient, gradient);
        }

        TensorPrimitives.Divide(gradient, floored ? NormFloor : norm, gradient);
    }
}
