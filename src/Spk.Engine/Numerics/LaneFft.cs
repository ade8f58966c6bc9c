using System.Runtime.Intrinsics;

namespace Spk.Engine.Numerics;

/// <summary>
/// Sixteen complex FFTs of one power-of-two length side by side: every element is a vector, one lane per transform, so the
/// butterflies need no shuffles. Decimation in frequency, radix 4 (the last step radix 2 where the length asks for it).
/// </summary>
/// <remarks>
/// In place; element m lies at data + 32 m (16 real parts, then 16 imaginary parts). The result stays in digit-reversed
/// order: frequency k is at <see cref="Position"/>(k). Reading it there costs nothing, because an element is a cache line pair.
/// A plan is read-only after construction and may be shared by threads.
/// </remarks>
internal sealed unsafe class LaneFft
{
    /// <summary>Floats from one element to the next.</summary>
    public const int Stride = 2 * Lanes.Count;

    // 256 elements are 32 KiB: below this the passes stay in the first-level cache, above it quarters are finished one by one.
    private const int CacheLength = 256;

    private readonly float[] _twiddles;
    private readonly int[] _positions;

    public LaneFft(int length)
    {
        if (length < 1 || (length & (length - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "A power of two is needed.");
        }

        Length = length;
        _positions = GC.AllocateArray<int>(length, pinned: true);
        for (int k = 0; k < length; k++)
        {
            _positions[k] = PositionOf(k, length);
        }

        int count = 0;
        for (int size = length; size >= 4; size /= 4)
        {
            count += 6 * (size / 4);
        }

        _twiddles = Lanes.Table(Math.Max(1, count));
        int next = 0;
        for (int size = length; size >= 4; size /= 4)
        {
            for (int j = 0; j < size / 4; j++)
            {
                for (int power = 1; power <= 3; power++)
                {
                    var (sin, cos) = Math.SinCos(-2.0 * Math.PI * j * power / size);
                    _twiddles[next++] = (float)cos;
                    _twiddles[next++] = (float)sin;
                }
            }
        }
    }

    /// <summary>Elements of one transform.</summary>
    public int Length { get; }

    /// <summary>Where frequency k ends up.</summary>
    public int Position(int k) => _positions[k];

    /// <summary>The tables as a value that an unmanaged loop body can carry; the plan must outlive it.</summary>
    public View Tables => new(Length, Lanes.Pointer(_twiddles), Lanes.Pointer(_positions));

    /// <summary>Length and addresses of a plan's tables.</summary>
    /// <param name="length">Elements of one transform.</param>
    /// <param name="twiddles">Twiddles of all steps.</param>
    /// <param name="positions">Where each frequency ends up.</param>
    public readonly struct View(int length, float* twiddles, int* positions)
    {
        public readonly int Length = length;
        public readonly int* Positions = positions;
        private readonly float* _twiddles = twiddles;

        /// <summary>Transforms in place: X[k] = Σ x[m] e^(−2πi k m / Length).</summary>
        /// <param name="real">Real parts; pass the imaginary parts here and the real ones below for the unscaled inverse.</param>
        /// <param name="imaginary">Imaginary parts.</param>
        public void Transform(float* real, float* imaginary) => Run(real, imaginary, Length, Length, _twiddles);
    }

    private static void Run(float* real, float* imaginary, int total, int length, float* twiddles)
    {
        while (length > CacheLength)
        {
            int quarter = length / 4;
            Radix4(real, imaginary, length, length, twiddles);
            twiddles += 6 * quarter;
            for (int part = 1; part < 4; part++)
            {
                nint offset = (nint)part * quarter * Stride;
                Run(real + offset, imaginary + offset, quarter, quarter, twiddles);
            }

            length = quarter;
            total = quarter;
        }

        for (; length > 4; length /= 4)
        {
            Radix4(real, imaginary, total, length, twiddles);
            twiddles += 6 * (length / 4);
        }

        if (length == 4)
        {
            LastRadix4(real, imaginary, total);
        }
        else if (length == 2)
        {
            LastRadix2(real, imaginary, total);
        }
    }

    private static void Radix4(float* real, float* imaginary, int total, int length, float* twiddles)
    {
        nint quarter = (nint)(length / 4) * Stride;
        for (int block = 0; block < total; block += length)
        {
            float* r = real + ((nint)block * Stride);
            float* i = imaginary + ((nint)block * Stride);
            float* w = twiddles;
            float* end = r + quarter;
            for (; r < end; r += Stride, i += Stride, w += 6)
            {
                var ar = Vector512.Load(r);
                var ai = Vector512.Load(i);
                var br = Vector512.Load(r + quarter);
                var bi = Vector512.Load(i + quarter);
                var cr = Vector512.Load(r + (2 * quarter));
                var ci = Vector512.Load(i + (2 * quarter));
                var dr = Vector512.Load(r + (3 * quarter));
                var di = Vector512.Load(i + (3 * quarter));
                var sumR = ar + cr;
                var sumI = ai + ci;
                var differenceR = ar - cr;
                var differenceI = ai - ci;
                var oddR = br + dr;
                var oddI = bi + di;
                var turnR = bi - di;
                var turnI = dr - br;
                (sumR + oddR).Store(r);
                (sumI + oddI).Store(i);
                StoreProduct(differenceR + turnR, differenceI + turnI, w[0], w[1], r + quarter, i + quarter);
                StoreProduct(sumR - oddR, sumI - oddI, w[2], w[3], r + (2 * quarter), i + (2 * quarter));
                StoreProduct(differenceR - turnR, differenceI - turnI, w[4], w[5], r + (3 * quarter), i + (3 * quarter));
            }
        }
    }

    private static void StoreProduct(Vector512<float> xr, Vector512<float> xi, float cos, float sin, float* r, float* i)
    {
        var c = Vector512.Create(cos);
        var s = Vector512.Create(sin);
        Vector512.FusedMultiplyAdd(xr, c, -(xi * s)).Store(r);
        Vector512.FusedMultiplyAdd(xr, s, xi * c).Store(i);
    }

    private static void LastRadix4(float* real, float* imaginary, int total)
    {
        float* i = imaginary;
        float* end = real + ((nint)total * Stride);
        for (float* r = real; r < end; r += 4 * Stride, i += 4 * Stride)
        {
            var ar = Vector512.Load(r);
            var ai = Vector512.Load(i);
            var br = Vector512.Load(r + Stride);
            var bi = Vector512.Load(i + Stride);
            var cr = Vector512.Load(r + (2 * Stride));
            var ci = Vector512.Load(i + (2 * Stride));
            var dr = Vector512.Load(r + (3 * Stride));
            var di = Vector512.Load(i + (3 * Stride));
            var sumR = ar + cr;
            var sumI = ai + ci;
            var differenceR = ar - cr;
            var differenceI = ai - ci;
            var oddR = br + dr;
            var oddI = bi + di;
            var turnR = bi - di;
            var turnI = dr - br;
            (sumR + oddR).Store(r);
            (sumI + oddI).Store(i);
            (differenceR + turnR).Store(r + Stride);
            (differenceI + turnI).Store(i + Stride);
            (sumR - oddR).Store(r + (2 * Stride));
            (sumI - oddI).Store(i + (2 * Stride));
            (differenceR - turnR).Store(r + (3 * Stride));
            (differenceI - turnI).Store(i + (3 * Stride));
        }
    }

    private static void LastRadix2(float* real, float* imaginary, int total)
    {
        for (int m = 0; m < total; m += 2)
        {
            Butterfly(real + ((nint)m * Stride));
            Butterfly(imaginary + ((nint)m * Stride));
        }

        static void Butterfly(float* x)
        {
            var a = Vector512.Load(x);
            var b = Vector512.Load(x + Stride);
            (a + b).Store(x);
            (a - b).Store(x + Stride);
        }
    }

    private static int PositionOf(int frequency, int length)
    {
        int position = 0;
        while (length > 1)
        {
            int radix = length >= 4 ? 4 : 2;
            length /= radix;
            position += frequency % radix * length;
            frequency /= radix;
        }

        return position;
    }
}
