using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Numerics;

/// <summary>
/// What becomes of the finished sums of a matrix product, column by column, while they are at hand: v = sum + bias, of which v is stored or, where
/// there is a scale, (activation(v) − mean) · scale + shift. On GPUs the moments of activation(v), and sums over time, may go elsewhere besides. By default sums are stored as they are.
/// </summary>
/// <remarks>
/// Field by field the ProductEpilogue of engine/kernels/common/product_epilogue.cuh. The mean is subtracted first, as batch norm does: folded into
/// the shift, a mean that is large against the deviation would take the digits of the result.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ProductEpilogue
{
    /// <summary>N elements, or null for none.</summary>
    public float* Bias;

    /// <summary>N elements, or null where v is stored.</summary>
    public float* Mean, Scale;

    /// <summary>N elements, or null for 0.</summary>
    public float* Shift;

    /// <summary>[row tiles, 3, N]: pivot, mean less the pivot, squared deviations of a tile's rows; null for none. On CPUs always null.</summary>
    public float* Moments;

    /// <summary>[row tiles, 2, N]: what a tile's rows of its first utterance, and of the next one, add up to; null for none. On CPUs always null.</summary>
    public float* UtteranceSums;

    /// <summary>Of the activation below 0: 1 for none, 0 for ReLU.</summary>
    public float Slope;

    /// <summary>Elements from row to row of <see cref="NormInput"/>.</summary>
    public int NormStride;

    /// <summary>The input of the norm whose output's gradient the sums are, with its <see cref="Mean"/> and <see cref="Slope"/>; null for none.</summary>
    public float* NormInput;

    /// <summary>[row tiles, 2, N]: Σ dy and Σ dy·(activation − mean) of a tile's rows; null for none. On CPUs always null.</summary>
    public float* GradientSums;

    /// <summary>Rows of an utterance, where its sums are wanted.</summary>
    public int Frames;

    /// <summary>A bias alone.</summary>
    public ProductEpilogue(Tensor? bias) => Bias = bias is null ? null : bias.Data;

    /// <summary>A bias, then the batch norm where it is a map that is known before.</summary>
    public ProductEpilogue(Tensor? bias, BatchNormEpilogue? norm)
        : this(bias)
    {
        if (norm is not null)
        {
            Slope = norm.Slope;
            Mean = norm.Mean is null ? null : norm.Mean.Data;
            Scale = norm.Scale is null ? null : norm.Scale.Data;
            Shift = norm.Shift is null ? null : norm.Shift.Data;
        }
    }

    /// <summary>Nothing but sums for the norm ahead of a product that is a gradient.</summary>
    public ProductEpilogue(NormGradientSums wanted, Tensor sums)
    {
        Mean = wanted.Statistics.Data;
        Slope = wanted.Slope;
        NormInput = wanted.X.Data;
        NormStride = wanted.X.RowStride;
        GradientSums = sums.Data;
    }

    /// <summary>Whether sums are stored as they are.</summary>
    public readonly bool IsEmpty => Bias == null && Scale == null;

    /// <summary>The same for the columns from one on.</summary>
    public readonly ProductEpilogue From(int column)
    {
        var rest = this;
        rest.Bias += Bias == null ? 0 : column;
        rest.Mean += Mean == null ? 0 : column;
        rest.Scale += Scale == null ? 0 : column;
        rest.Shift += Shift == null ? 0 : column;
        return rest;
    }

    /// <summary>Replaces the sums of a tile, from a column on, by what is to be stored.</summary>
    /// <param name="c">Its first element.</param>
    /// <param name="stride">Elements from row to row.</param>
    /// <param name="rows">Its height.</param>
    /// <param name="columns">Its width.</param>
    /// <param name="column">Its first column among those of the epilogue.</param>
    public readonly void Apply(float* c, nint stride, int rows, int columns, int column)
    {
        for (int i = 0; i < rows; i++)
        {
            float* row = c + (i * stride);
            int j = 0;
            for (; j <= columns - 16; j += 16)
            {
                Apply(Vector512.Load(row + j), column + j).Store(row + j);
            }

            for (; j < columns; j++)
            {
                row[j] = Apply(row[j], column + j);
            }
        }
    }

    /// <summary>What is stored of the sums of 16 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector512<float> Apply(Vector512<float> sum, int column)
    {
        var value = Bias == null ? sum : sum + Vector512.Load(Bias + column);
        if (Scale == null)
        {
            return value;
        }

        var activated = Vector512.ConditionalSelect(Vector512.GreaterThan(value, Vector512<float>.Zero), value, value * Slope);
        var shift = Shift == null ? Vector512<float>.Zero : Vector512.Load(Shift + column);
        return Vector512.FusedMultiplyAdd(activated - Vector512.Load(Mean + column), Vector512.Load(Scale + column), shift);
    }

    /// <summary>The same of one column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Apply(float sum, int column)
    {
        float value = Bias == null ? sum : sum + Bias[column];
        if (Scale == null)
        {
            return value;
        }

        float activated = value > 0f ? value : value * Slope;
        return ((activated - Mean[column]) * Scale[column]) + (Shift == null ? 0f : Shift[column]);
    }
}
