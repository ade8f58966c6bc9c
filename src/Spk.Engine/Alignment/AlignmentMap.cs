using System.Buffers;
using System.Numerics.Tensors;
using Spk.Interop;

namespace Spk.Engine.Alignment;

/// <summary>
/// A light map of embeddings: y = W·x̂ + V·relu(H·x̂ + h) + b, scaled to unit length, where x̂ is x at unit length. The second term may be
/// missing. Batch norm is part of H and h.
/// </summary>
/// <remarks>Instances never change and may be used from any thread.</remarks>
public sealed class AlignmentMap
{
    private readonly float[] _skip, _bias, _hiddenWeight, _hiddenBias, _outputWeight;

    /// <summary>A linear map.</summary>
    /// <param name="inputs">Elements of x.</param>
    /// <param name="skip">W, [outputs, inputs], row-major.</param>
    /// <param name="bias">b, [outputs].</param>
    /// <exception cref="ShapeException">The sizes do not fit each other.</exception>
    /// <exception cref="NonFiniteException">A weight is not finite.</exception>
    public AlignmentMap(int inputs, ReadOnlySpan<float> skip, ReadOnlySpan<float> bias)
        : this(inputs, skip, bias, [], [], [])
    {
    }

    /// <summary>A perceptron of one hidden layer beside a linear map.</summary>
    /// <param name="inputs">Elements of x.</param>
    /// <param name="skip">W, [outputs, inputs], row-major.</param>
    /// <param name="bias">b, [outputs].</param>
    /// <param name="hiddenWeight">H, [hidden, inputs].</param>
    /// <param name="hiddenBias">h, [hidden].</param>
    /// <param name="outputWeight">V, [outputs, hidden].</param>
    /// <exception cref="ShapeException">The sizes do not fit each other.</exception>
    /// <exception cref="NonFiniteException">A weight is not finite.</exception>
    public AlignmentMap(
        int inputs, ReadOnlySpan<float> skip, ReadOnlySpan<float> bias, ReadOnlySpan<float> hiddenWeight, ReadOnlySpan<float> hiddenBias, ReadOnlySpan<float> outputWeight)
    {
        (Inputs, Outputs, Hidden) = (inputs, bias.Length, hiddenBias.Length);
        if (inputs < 1 || Outputs < 1 || skip.Length != (long)Outputs * inputs || hiddenWeight.Length != (long)Hidden * inputs || outputWeight.Length != (long)Outputs * Hidden)
        {
            throw new ShapeException(
                $"an alignment map of {inputs} inputs, {Outputs} outputs and {Hidden} hidden units cannot have weights of {skip.Length}, {hiddenWeight.Length} and {outputWeight.Length} elements.");
        }

        (_skip, _bias, _hiddenWeight, _hiddenBias, _outputWeight) =
            (skip.ToArray(), bias.ToArray(), hiddenWeight.ToArray(), hiddenBias.ToArray(), outputWeight.ToArray());
        foreach (float[] weights in new[] { _skip, _bias, _hiddenWeight, _hiddenBias, _outputWeight })
        {
            if (!Array.TrueForAll(weights, float.IsFinite))
            {
                throw new NonFiniteException("an alignment map has weights that are not finite: its training went wrong, or its file is damaged.");
            }
        }
    }

    /// <summary>Elements of an embedding that goes in.</summary>
    public int Inputs { get; }

    /// <summary>Elements of what comes out.</summary>
    public int Outputs { get; }

    /// <summary>Hidden units; 0 for a linear map.</summary>
    public int Hidden { get; }

    internal ReadOnlySpan<float> Skip => _skip;

    internal ReadOnlySpan<float> Bias => _bias;

    internal ReadOnlySpan<float> HiddenWeight => _hiddenWeight;

    internal ReadOnlySpan<float> HiddenBias => _hiddenBias;

    internal ReadOnlySpan<float> OutputWeight => _outputWeight;

    /// <summary>Maps an embedding.</summary>
    /// <param name="embedding">[inputs], of any length above 0.</param>
    /// <param name="mapped">Receives [outputs], of unit length.</param>
    /// <exception cref="ShapeException">One of them has another size.</exception>
    /// <exception cref="NonFiniteException">The embedding, or what it is mapped to, is zero or not finite.</exception>
    public void Apply(ReadOnlySpan<float> embedding, Span<float> mapped)
    {
        if (embedding.Length != Inputs || mapped.Length != Outputs)
        {
            throw new ShapeException($"an alignment map from size {Inputs} to {Outputs} was given an embedding of size {embedding.Length} and room for {mapped.Length}.");
        }

        double squares = 0;
        foreach (float value in embedding)
        {
            squares += (double)value * value;
        }

        RequireLength(squares, "the embedding to be aligned");
        float[] unit = ArrayPool<float>.Shared.Rent(Inputs), hidden = ArrayPool<float>.Shared.Rent(Math.Max(1, Hidden));
        try
        {
            TensorPrimitives.Multiply(embedding, (float)(1 / Math.Sqrt(squares)), unit);
            var x = unit.AsSpan(0, Inputs);
            var units = hidden.AsSpan(0, Hidden);
            for (int h = 0; h < units.Length; h++)
            {
                units[h] = Math.Max(0, TensorPrimitives.Dot(_hiddenWeight.AsSpan(h * Inputs, Inputs), x) + _hiddenBias[h]);
            }

            squares = 0;
            for (int o = 0; o < mapped.Length; o++)
            {
                float sum = TensorPrimitives.Dot(_skip.AsSpan(o * Inputs, Inputs), x) + _bias[o];
                mapped[o] = Hidden == 0 ? sum : sum + TensorPrimitives.Dot(_outputWeight.AsSpan(o * Hidden, Hidden), units);
                squares += (double)mapped[o] * mapped[o];
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(unit);
            ArrayPool<float>.Shared.Return(hidden);
        }

        RequireLength(squares, "what the aligner made of an embedding");
        TensorPrimitives.Multiply(mapped, (float)(1 / Math.Sqrt(squares)), mapped);
    }

    private static void RequireLength(double squares, string what)
    {
        if (!(squares > 0) || !double.IsFinite(squares))
        {
            throw new NonFiniteException($"{what} is zero or not finite: it cannot be scored.");
        }
    }
}
