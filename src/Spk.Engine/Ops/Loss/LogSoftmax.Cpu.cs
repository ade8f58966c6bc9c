using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Loss;

/// <summary>log softmax of one row of logits, from two numbers that are kept instead of the row: log p = (l − highest) − log Σ exp(l − highest).</summary>
/// <remarks>The difference of logits comes first: their size then leaves no rounding in the result.</remarks>
internal readonly unsafe struct LogSoftmax
{
    /// <summary>Elements in memory: the highest logit, then the logarithm of the sum of powers.</summary>
    public const int Size = 2;

    private readonly float _highest, _logSum;

    private LogSoftmax(float highest, float logSum) => (_highest, _logSum) = (highest, logSum);

    /// <summary>Reads a row of logits.</summary>
    public static LogSoftmax Of(float* logits, int classes)
    {
        float highest = TensorPrimitives.Max(new ReadOnlySpan<float>(logits, classes));
        var shift = Vector512.Create(highest);
        var sums = Vector512<double>.Zero;
        int i = 0;
        for (; i <= classes - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var power = Vector512.Exp(Vector512.Load(logits + i) - shift);
            sums += Vector512.WidenLower(power) + Vector512.WidenUpper(power);
        }

        double sum = Vector512.Sum(sums);
        for (; i < classes; i++)
        {
            sum += MathF.Exp(logits[i] - highest);
        }

        return new LogSoftmax(highest, (float)Math.Log(sum));
    }

    public static LogSoftmax Load(float* from) => new(from[0], from[1]);

    public void Store(float* to) => (to[0], to[1]) = (_highest, _logSum);

    /// <summary>The highest probability.</summary>
    public float Highest => MathF.Exp(-_logSum);

    /// <summary>Logarithms of 16 probabilities.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Log(Vector512<float> logits) => logits - Vector512.Create(_highest) - Vector512.Create(_logSum);
}
