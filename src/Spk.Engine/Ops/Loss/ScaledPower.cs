using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// 2^(c·k − shift) for cosines c, k = log2(e)/τ and an integer shift. Exponentials of large logits lose digits because the
/// argument is rounded; here the integer part leaves the argument by one fused multiply-add, so the error is that of c alone.
/// </summary>
internal static class ScaledPower
{
    /// <summary>Below every cosine; its power is exactly 0 for all but very large τ.</summary>
    public const float Masked = -1000f;

    // Cosines end at −1 (but for rounding); everything below this is the mask.
    public const float LowestCosine = -2f;

    /// <summary>Largest difference of exponents for which no power of an unmasked cosine is lost to underflow.</summary>
    public const double Range = 124;

    /// <summary>Exponent bias of f32.</summary>
    private const float Bias = 127f;

    /// <summary>The third argument of <see cref="Of"/> for a shift.</summary>
    public static Vector512<float> BiasOf(double shift) => Vector512.Create(Bias - (float)shift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(Vector512<float> cosine, Vector512<float> scale, Vector512<float> bias)
    {
        var whole = Vector512.Round(cosine * scale);
        var rest = Vector512.FusedMultiplyAdd(cosine, scale, -whole);

        // Taylor series of 2^x on |x| <= 1/2: the first omitted term is 5e-9.
        var power = Vector512.Create(1.5252734e-5f);
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(1.5403530e-4f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(1.3333558e-3f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(9.6181291e-3f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(5.5504109e-2f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(2.4022651e-1f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(6.9314718e-1f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512<float>.One);

        // A biased exponent of 0 is the number 0, and NaN·0 is still NaN.
        var exponent = Vector512.MaxNative(whole + bias, Vector512<float>.Zero);
        return power * Vector512.ShiftLeft(Vector512.ConvertToInt32Native(exponent), 23).AsSingle();
    }
}
