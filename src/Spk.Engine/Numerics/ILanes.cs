namespace Spk.Engine.Numerics;

/// <summary>
/// One f32 value of each of <see cref="Count"/> rows that go through the same steps side by side: a register of the processor.
/// </summary>
/// <remarks>
/// Code that is generic over this takes 16 rows at a time where the hardware has vectors of 512 bits, and 8 where it has not: there a vector of
/// 512 bits is two of 256, which the compiler keeps in registers or in memory as the profile of the run happens to be.
/// </remarks>
internal unsafe interface ILanes<TSelf> where TSelf : unmanaged, ILanes<TSelf>
{
    /// <summary>Rows side by side.</summary>
    static abstract int Count { get; }

    /// <summary>Reads <see cref="Count"/> neighbouring values.</summary>
    static abstract TSelf Load(float* source);

    /// <summary>Writes <see cref="Count"/> neighbouring values.</summary>
    void Store(float* destination);

    /// <summary>The same value in all lanes.</summary>
    static abstract TSelf Create(float value);

    static abstract TSelf operator +(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a, TSelf b);

    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a);

    /// <summary>a · b + c, rounded once.</summary>
    static abstract TSelf FusedMultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>The larger of two values.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>Square root.</summary>
    static abstract TSelf Sqrt(TSelf a);

    /// <summary>Natural logarithm.</summary>
    static abstract TSelf Log(TSelf a);

    /// <summary>Sine and cosine of angles in radians.</summary>
    static abstract (TSelf Sin, TSelf Cos) SinCos(TSelf a);

    /// <summary>The lanes in the opposite order.</summary>
    static abstract TSelf Reverse(TSelf a);

    /// <summary>Splits 2 · Count neighbouring values into those at even and those at odd places.</summary>
    static abstract void Deinterleave(float* source, out TSelf even, out TSelf odd);

    /// <summary>Writes even and odd elements as 2 · Count neighbouring values.</summary>
    static abstract void Interleave(TSelf even, TSelf odd, float* destination);

    /// <summary>Writes destination[c * destinationStride + r] = rows[r][c] for Count rows and some columns.</summary>
    /// <param name="rows">Count row pointers.</param>
    /// <param name="columns">Number of columns, 0 or more.</param>
    /// <param name="destination">Where column c's lanes go.</param>
    /// <param name="destinationStride">Floats between the lanes of neighbouring columns, at least Count.</param>
    static abstract void Transpose(float** rows, int columns, float* destination, int destinationStride);
}
