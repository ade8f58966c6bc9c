using System.Runtime.Intrinsics;

namespace Spk.Engine.Numerics;

/// <summary>
/// FFT of real signals whose length is a power of two, forward and inverse, in natural order, vectorised, without allocation.
/// </summary>
/// <remarks>
/// A signal of n reals is n/2 complex numbers z[m] = x[2m] + i x[2m+1]. Sixteen interleaved sub-sequences of z are
/// transformed side by side by a <see cref="LaneFft"/>; twiddles and one 16-point transform per frequency join them.
/// A plan is read-only after construction and may be shared by threads; scratch memory belongs to the caller.
/// </remarks>
internal sealed unsafe class RealFft
{
    /// <summary>Shortest and longest supported signals.</summary>
    public const int MinimumLength = 32, MaximumLength = 1 << 24;

    private static readonly LaneFft Sixteen = new(Lanes.Count);

    private readonly LaneFft _lanes;
    private readonly float[] _joinTwiddles;
    private readonly float[] _realTwiddles;

    /// <summary>Prepares the tables for one length.</summary>
    /// <param name="length">Real samples: a power of two, 32 to 2^24.</param>
    public RealFft(int length)
    {
        if (length < MinimumLength || length > MaximumLength || (length & (length - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "A power of two of 32 to 2^24 is needed.");
        }

        Length = length;
        int half = length / 2;
        int perLane = half / Lanes.Count;
        _lanes = new LaneFft(perLane);
        _joinTwiddles = Lanes.Table(perLane * LaneFft.Stride);
        for (int k = 0; k < perLane; k++)
        {
            for (int lane = 0; lane < Lanes.Count; lane++)
            {
                var (sin, cos) = Math.SinCos(-2.0 * Math.PI * ((long)lane * k) / half);
                _joinTwiddles[(k * LaneFft.Stride) + lane] = (float)cos;
                _joinTwiddles[(k * LaneFft.Stride) + Lanes.Count + lane] = (float)sin;
            }
        }

        int count = (half / 2) + Lanes.Count;
        _realTwiddles = Lanes.Table(2 * count);
        for (int k = 0; k < count; k++)
        {
            var (sin, cos) = Math.SinCos(-2.0 * Math.PI * k / length);
            _realTwiddles[k] = (float)cos;
            _realTwiddles[count + k] = (float)sin;
        }
    }

    /// <summary>Real samples of one transform.</summary>
    public int Length { get; }

    /// <summary>Frequencies 0 to Nyquist: Length / 2 + 1.</summary>
    public int Bins => (Length / 2) + 1;

    /// <summary>
    /// Floats from one spectrum part (real or imaginary) to the next one in memory: <see cref="Bins"/> and room for whole
    /// vectors. Elements beyond Bins are undefined after <see cref="Forward"/>.
    /// </summary>
    public int PartStride => (Length / 2) + Lanes.Count;

    /// <summary>Bytes of scratch memory that one call needs, 64-byte aligned.</summary>
    public nuint ScratchBytes => (nuint)((Length + (Lanes.Count * LaneFft.Stride)) * sizeof(float));

    /// <summary>Bytes of a spectrum: <see cref="PartStride"/> real parts, then as many imaginary parts.</summary>
    public nuint SpectrumBytes => (nuint)(2 * PartStride * sizeof(float));

    /// <summary>The tables as a value that an unmanaged loop body can carry; the plan must outlive it.</summary>
    public View Tables => new(Length / 2, _lanes.Tables, Lanes.Pointer(_joinTwiddles), Lanes.Pointer(_realTwiddles));

    /// <inheritdoc cref="View.Forward"/>
    public void Forward(float* signal, int count, float* spectrum, float* scratch)
    {
        Tables.Forward(signal, count, spectrum, scratch);
        GC.KeepAlive(this);
    }

    /// <inheritdoc cref="View.Inverse"/>
    public void Inverse(float* spectrum, float* signal, int count, float* scratch)
    {
        Tables.Inverse(spectrum, signal, count, scratch);
        GC.KeepAlive(this);
    }

    /// <summary>Sizes and addresses of a plan's tables, with the transforms on them.</summary>
    public readonly struct View
    {
        private readonly int _half;               // n / 2: complex length
        private readonly int _perLane;            // n / 32: complex length of one lane
        private readonly int _partStride;
        private readonly LaneFft.View _lanes;
        private readonly float* _joinTwiddles;    // [perLane][16 cos, 16 sin]: e^(−2πi l k / half) for lane l, frequency k
        private readonly float* _realTwiddles;    // [half / 2 + 16 cos], then as many sin: e^(−2πi k / n)

        internal View(int half, LaneFft.View lanes, float* joinTwiddles, float* realTwiddles)
        {
            _half = half;
            _perLane = half / Lanes.Count;
            _partStride = half + Lanes.Count;
            _lanes = lanes;
            _joinTwiddles = joinTwiddles;
            _realTwiddles = realTwiddles;
        }

        /// <summary>X[k] = Σ x[t] e^(−2πi k t / n) for k = 0 to n/2.</summary>
        /// <param name="signal">At most <see cref="Length"/> samples; the rest counts as zeros.</param>
        /// <param name="count">How many samples are there.</param>
        /// <param name="spectrum">Receives real parts, and imaginary parts <see cref="PartStride"/> floats later.</param>
        /// <param name="scratch"><see cref="ScratchBytes"/> of aligned memory.</param>
        public void Forward(float* signal, int count, float* spectrum, float* scratch)
        {
            int whole = count / 32;
            for (int m = 0; m < whole; m++)
            {
                Lanes.Deinterleave(signal + (32 * m), out var even, out var odd);
                even.Store(scratch + (m * LaneFft.Stride));
                odd.Store(scratch + (m * LaneFft.Stride) + Lanes.Count);
            }

            if (whole < _perLane)
            {
                new Span<float>(scratch + (whole * LaneFft.Stride), (_perLane - whole) * LaneFft.Stride).Clear();
                float* last = scratch + (whole * LaneFft.Stride);
                for (int t = 32 * whole; t < count; t++)
                {
                    int m = (t / 2) - (16 * whole);
                    last[m + ((t & 1) * Lanes.Count)] = signal[t];
                }
            }

            float* real = spectrum;
            float* imaginary = spectrum + _partStride;
            Complex(scratch, scratch + Lanes.Count, real, imaginary, scratch + (2 * _half));
            Unpack(real, imaginary);
        }

        /// <summary>x[t] = (1/n) Σ X[k] e^(2πi k t / n): undoes <see cref="Forward"/>.</summary>
        /// <param name="spectrum">As written by Forward; overwritten.</param>
        /// <param name="signal">Receives the first <paramref name="count"/> samples.</param>
        /// <param name="count">How many samples are wanted, at most <see cref="Length"/>.</param>
        /// <param name="scratch"><see cref="ScratchBytes"/> of aligned memory.</param>
        public void Inverse(float* spectrum, float* signal, int count, float* scratch)
        {
            float* real = spectrum;
            float* imaginary = spectrum + _partStride;
            Pack(real, imaginary);
            for (int m = 0; m < _perLane; m++)
            {
                Vector512.Load(real + (m * Lanes.Count)).Store(scratch + (m * LaneFft.Stride));
                Vector512.Load(imaginary + (m * Lanes.Count)).Store(scratch + (m * LaneFft.Stride) + Lanes.Count);
            }

            Join(count, signal, real, imaginary, scratch);
        }

        private void Join(int count, float* signal, float* real, float* imaginary, float* scratch)
        {
            // The inverse of a complex transform is the forward one with real and imaginary parts exchanged.
            Complex(scratch + Lanes.Count, scratch, imaginary, real, scratch + (2 * _half));
            var scale = Vector512.Create(1f / _half);
            int whole = count / 32;
            for (int m = 0; m < whole; m++)
            {
                Lanes.Interleave(
                    Vector512.Load(real + (m * Lanes.Count)) * scale, Vector512.Load(imaginary + (m * Lanes.Count)) * scale, signal + (32 * m));
            }

            for (int t = 32 * whole; t < count; t++)
            {
                signal[t] = ((t & 1) == 0 ? real : imaginary)[t / 2] * scale[0];
            }
        }

        // Complex transform: 16 interleaved sub-sequences in lanes to natural order.
        private void Complex(float* laneReal, float* laneImaginary, float* real, float* imaginary, float* block)
        {
            _lanes.Transform(laneReal, laneImaginary);
            var sixteen = Sixteen.Tables;
            float** rows = stackalloc float*[Lanes.Count];
            float* zeros = stackalloc float[Lanes.Count];
            new Span<float>(zeros, Lanes.Count).Clear();
            nint toImaginary = (nint)(laneImaginary - laneReal);
            for (int k0 = 0; k0 < _perLane; k0 += Lanes.Count)
            {
                for (int k = k0; k < Math.Min(k0 + Lanes.Count, _perLane); k++)
                {
                    float* at = laneReal + ((nint)_lanes.Positions[k] * LaneFft.Stride);
                    var r = Vector512.Load(at);
                    var i = Vector512.Load(at + toImaginary);
                    var cos = Vector512.Load(_joinTwiddles + ((nint)k * LaneFft.Stride));
                    var sin = Vector512.Load(_joinTwiddles + ((nint)k * LaneFft.Stride) + Lanes.Count);
                    Vector512.FusedMultiplyAdd(r, cos, -(i * sin)).Store(at);
                    Vector512.FusedMultiplyAdd(r, sin, i * cos).Store(at + toImaginary);
                }

                for (int part = 0; part < 2; part++)
                {
                    for (int k = 0; k < Lanes.Count; k++)
                    {
                        rows[k] = k0 + k < _perLane
                            ? laneReal + ((nint)_lanes.Positions[k0 + k] * LaneFft.Stride) + (part * toImaginary)
                            : zeros;
                    }

                    Lanes.Transpose(rows, Lanes.Count, block + (part * Lanes.Count), LaneFft.Stride);
                }

                sixteen.Transform(block, block + Lanes.Count);

                // Below 16 frequencies per lane a store runs into the next one's place, which is written afterwards.
                for (int q = 0; q < Lanes.Count; q++)
                {
                    float* from = block + (sixteen.Positions[q] * LaneFft.Stride);
                    nint to = k0 + ((nint)q * _perLane);
                    Vector512.Load(from).Store(real + to);
                    Vector512.Load(from + Lanes.Count).Store(imaginary + to);
                }
            }

        }

        // Z of the packed signal to X of the real one, in place. With E = (Z[k] + conj Z[half−k]) / 2 and
        // O = −i (Z[k] − conj Z[half−k]) / 2: X[k] = E + w^k O and X[half−k] = conj(E − w^k O).
        private void Unpack(float* real, float* imaginary)
        {
            float zeroReal = real[0], zeroImaginary = imaginary[0];
            real[_half] = zeroReal;
            imaginary[_half] = zeroImaginary;
            Pairs(real, imaginary, sign: 1f);
            real[0] = zeroReal + zeroImaginary;
            imaginary[0] = 0;
            real[_half] = zeroReal - zeroImaginary;
            imaginary[_half] = 0;
        }

        // The same pairs backwards: Z[k] = E + i O with O = conj(w^k) (X[k] − conj X[half−k]) / 2.
        private void Pack(float* real, float* imaginary)
        {
            float first = real[0], last = real[_half];
            Pairs(real, imaginary, sign: -1f);
            real[0] = 0.5f * (first + last);
            imaginary[0] = 0.5f * (first - last);
        }

        private void Pairs(float* real, float* imaginary, float sign)
        {
            float* cos = _realTwiddles;
            float* sin = cos + (_half / 2) + Lanes.Count;
            int k = 1;
            var half = Vector512.Create(0.5f);
            var direction = Vector512.Create(sign);
            int quarter = _half / 2;
            for (; k + Lanes.Count <= quarter; k += Lanes.Count)
            {
                int mirror = _half - k - Lanes.Count + 1;
                var xr = Vector512.Load(real + k);
                var xi = Vector512.Load(imaginary + k);
                var yr = Lanes.Reverse(Vector512.Load(real + mirror));
                var yi = Lanes.Reverse(Vector512.Load(imaginary + mirror));
                var evenR = half * (xr + yr);
                var evenI = half * (xi - yi);
                // u = (X − conj Y) / 2; the odd part is −i w u forwards and +i conj(w) u backwards.
                var ur = half * (xr - yr);
                var ui = half * (xi + yi);
                var c = Vector512.Load(cos + k) * direction;
                var s = Vector512.Load(sin + k);
                var oddR = Vector512.FusedMultiplyAdd(ur, s, ui * c);
                var oddI = Vector512.FusedMultiplyAdd(ui, s, -(ur * c));
                (evenR + oddR).Store(real + k);
                (evenI + oddI).Store(imaginary + k);
                Lanes.Reverse(evenR - oddR).Store(real + mirror);
                Lanes.Reverse(oddI - evenI).Store(imaginary + mirror);
            }

            for (; k <= quarter; k++)
            {
                int mirror = _half - k;
                float xr = real[k], xi = imaginary[k], yr = real[mirror], yi = imaginary[mirror];
                float evenR = 0.5f * (xr + yr), evenI = 0.5f * (xi - yi);
                float ur = 0.5f * (xr - yr), ui = 0.5f * (xi + yi);
                float c = cos[k] * sign, s = sin[k];
                float oddR = (ur * s) + (ui * c), oddI = (ui * s) - (ur * c);
                real[k] = evenR + oddR;
                imaginary[k] = evenI + oddI;
                real[mirror] = evenR - oddR;
                imaginary[mirror] = oddI - evenI;
            }
        }
    }
}
