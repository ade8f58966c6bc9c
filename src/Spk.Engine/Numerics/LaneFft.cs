using System.Runtime.CompilerServices;

namespace Spk.Engine.Numerics;

/// <summary>
/// Complex FFTs of one power-of-two length side by side: every element is a vector, one lane per transform, so the
/// butterflies need no shuffles. Decimation in frequency, radix 4 (the last step radix 2 where the length asks for it).
/// </summary>
/// <remarks>
/// In place; element m lies at data + m · <see cref="Stride{TLanes}"/> (the lanes' real parts, then their imaginary parts). The result stays in
/// digit-reversed order: frequency k is at <see cref="Position"/>(k). Reading it there costs nothing, because an element is whole cache lines.
/// A plan serves any number of lanes, is read-only after construction and may be shared by threads.
/// </remarks>
internal sealed unsafe class LaneFft
{
    // 32 KiB: up to this size the passes stay in the first-level cache, above it quarters are finished one by one.
    private const int CacheFloats = 8192;

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

    /// <summary>Floats from one element to the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Stride<TLanes>() where TLanes : unmanaged, ILanes<TLanes> => 2 * TLanes.Count;

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

        /// <summary>Transforms every lane in place: X[k] = Σ x[m] e^(−2πi k m / Length).</summary>
        /// <param name="real">Real parts; pass the imaginary parts here and the real ones below for the unscaled inverse.</param>
        /// <param name="imaginary">Imaginary parts.</param>
        public void Transform<TLanes>(float* real, float* imaginary) where TLanes : unmanaged, ILanes<TLanes> =>
            Run<TLanes>(real, imaginary, Length, Length, _twiddles);
    }

    private static void Run<TLanes>(float* real, float* imaginary, int total, int length, float* twiddles)
        where TLanes : unmanaged, ILanes<TLanes>
    {
        while (length > CacheFloats / Stride<TLanes>())
        {
            int quarter = length / 4;
            Radix4<TLanes>(real, imaginary, length, length, twiddles);
            twiddles += 6 * quarter;
            for (int part = 1; part < 4; part++)
            {
                nint offset = (nint)part * quarter * Stride<TLanes>();
                Run<TLanes>(real + offset, imaginary + offset, quarter, quarter, twiddles);
            }

            length = quarter;
            total = quarter;
        }

        for (; length > 4; length /= 4)
        {
            Radix4<TLanes>(real, imaginary, total, length, twiddles);
            twiddles += 6 * (length / 4);
        }

        if (length == 4)
        {
            LastRadix4<TLanes>(real, imaginary, total);
        }
        else if (length == 2)
        {
            LastRadix2<TLanes>(real, imaginary, total);
        }
    }

    private static void Radix4<TLanes>(float* real, float* imaginary, int total, int length, float* twiddles)
        where TLanes : unmanaged, ILanes<TLanes>
    {
        int stride = Stride<TLanes>();
        nint quarter = (nint)(length / 4) * stride;
        for (int block = 0; block < total; block += length)
        {
            float* r = real + ((nint)block * stride);
            float* i = imaginary + ((nint)block * stride);
            float* w = twiddles;
            float* end = r + quarter;
            for (; r < end; r += stride, i += stride, w += 6)
            {
                var ar = TLanes.Load(r);
                var ai = TLanes.Load(i);
                var br = TLanes.Load(r + quarter);
                var bi = TLanes.Load(i + quarter);
                var cr = TLanes.Load(r + (2 * quarter));
                var ci = TLanes.Load(i + (2 * quarter));
                var dr = TLanes.Load(r + (3 * quarter));
                var di = TLanes.Load(i + (3 * quarter));
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreProduct<TLanes>(TLanes xr, TLanes xi, float cos, float sin, float* r, float* i)
        where TLanes : unmanaged, ILanes<TLanes>
    {
        var c = TLanes.Create(cos);
        var s = TLanes.Create(sin);
        TLanes.FusedMultiplyAdd(xr, c, -(xi * s)).Store(r);
        TLanes.FusedMultiplyAdd(xr, s, xi * c).Store(i);
    }

    private static void LastRadix4<TLanes>(float* real, float* imaginary, int total) where TLanes : unmanaged, ILanes<TLanes>
    {
        int stride = Stride<TLanes>();
        float* i = imaginary;
        float* end = real + ((nint)total * stride);
        for (float* r = real; r < end; r += 4 * stride, i += 4 * stride)
        {
            var ar = TLanes.Load(r);
            var ai = TLanes.Load(i);
            var br = TLanes.Load(r + stride);
            var bi = TLanes.Load(i + stride);
            var cr = TLanes.Load(r + (2 * stride));
            var ci = TLanes.Load(i + (2 * stride));
            var dr = TLanes.Load(r + (3 * stride));
            var di = TLanes.Load(i + (3 * stride));
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
            (differenceR + turnR).Store(r + stride);
            (differenceI + turnI).Store(i + stride);
            (sumR - oddR).Store(r + (2 * stride));
            (sumI - oddI).Store(i + (2 * stride));
            (differenceR - turnR).Store(r + (3 * stride));
            (differenceI - turnI).Store(i + (3 * stride));
        }
    }

    private static void LastRadix2<TLanes>(float* real, float* imaginary, int total) where TLanes : unmanaged, ILanes<TLanes>
    {
        int stride = Stride<TLanes>();
        for (int m = 0; m < total; m += 2)
        {
            Butterfly<TLanes>(real + ((nint)m * stride));
            Butterfly<TLanes>(imaginary + ((nint)m * stride));
        }
    }

    private static void Butterfly<TLanes>(float* x) where TLanes : unmanaged, ILanes<TLanes>
    {
        var a = TLanes.Load(x);
        var b = TLanes.Load(x + Stride<TLanes>());
        (a + b).Store(x);
        (a - b).Store(x + Stride<TLanes>());
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
