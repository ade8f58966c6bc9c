namespace Spk.Engine.Numerics;

/// <summary>
/// FFT of real signals whose length is a power of two, forward and inverse, in natural order, vectorised, without allocation.
/// </summary>
/// <remarks>
/// A signal of n reals is n/2 complex numbers z[m] = x[2m] + i x[2m+1]. Interleaved sub-sequences of z, one for each lane of a
/// vector, are transformed side by side by a <see cref="LaneFft"/>; twiddles and one transform over the lanes per frequency join them.
/// A plan is read-only after construction and may be shared by threads; scratch memory belongs to the caller.
/// </remarks>
internal sealed unsafe class RealFft
{
    /// <summary>Shortest and longest supported signals.</summary>
    public const int MinimumLength = 32, MaximumLength = 1 << 24;

    private readonly LaneFft _lanes;
    private readonly LaneFft _across;
    private readonly float[] _joinTwiddles;
    private readonly float[] _realTwiddles;

    /// <summary>Prepares the tables for one length.</summary>
    /// <param name="length">Real samples: a power of two, 32 to 2^24.</param>
    public RealFft(int length) : this(length, Lanes.Sixteen ? SixteenLanes.Count : EightLanes.Count)
    {
    }

    /// <summary>As above, with the sub-sequences in 8 or 16 lanes whatever the processor has.</summary>
    public RealFft(int length, int lanes)
    {
        if (length < MinimumLength || length > MaximumLength || (length & (length - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "A power of two of 32 to 2^24 is needed.");
        }

        if (lanes != EightLanes.Count && lanes != SixteenLanes.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(lanes), lanes, "8 or 16 lanes are needed.");
        }

        Length = length;
        int half = length / 2;
        int perLane = half / lanes;
        _lanes = new LaneFft(perLane);
        _across = new LaneFft(lanes);
        _joinTwiddles = Lanes.Table(perLane * 2 * lanes);
        for (int k = 0; k < perLane; k++)
        {
            for (int lane = 0; lane < lanes; lane++)
            {
                var (sin, cos) = Math.SinCos(-2.0 * Math.PI * ((long)lane * k) / half);
                _joinTwiddles[(2 * k * lanes) + lane] = (float)cos;
                _joinTwiddles[(((2 * k) + 1) * lanes) + lane] = (float)sin;
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
    public nuint ScratchBytes => (nuint)((Length + (2 * Lanes.Count * Lanes.Count)) * sizeof(float));

    /// <summary>Bytes of a spectrum: <see cref="PartStride"/> real parts, then as many imaginary parts.</summary>
    public nuint SpectrumBytes => (nuint)(2 * PartStride * sizeof(float));

    /// <summary>The tables as a value that an unmanaged loop body can carry; the plan must outlive it.</summary>
    public View Tables => new(Length / 2, _lanes.Tables, _across.Tables, Lanes.Pointer(_joinTwiddles), Lanes.Pointer(_realTwiddles));

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
        private readonly int _partStride;
        private readonly LaneFft.View _lanes;     // of the sub-sequences: as long as half / lanes
        private readonly LaneFft.View _across;    // over the lanes: as long as there are lanes
        private readonly float* _joinTwiddles;    // [half / lanes][cos, sin][lanes]: e^(−2πi l k / half) for lane l, frequency k
        private readonly float* _realTwiddles;    // [half / 2 + 16 cos], then as many sin: e^(−2πi k / n)

        internal View(int half, LaneFft.View lanes, LaneFft.View across, float* joinTwiddles, float* realTwiddles)
        {
            _half = half;
            _partStride = half + Lanes.Count;
            _lanes = lanes;
            _across = across;
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
            if (_across.Length == SixteenLanes.Count)
            {
                Forward<SixteenLanes>(signal, count, spectrum, scratch);
            }
            else
            {
                Forward<EightLanes>(signal, count, spectrum, scratch);
            }
        }

        /// <summary>x[t] = (1/n) Σ X[k] e^(2πi k t / n): undoes <see cref="Forward"/>.</summary>
        /// <param name="spectrum">As written by Forward; overwritten.</param>
        /// <param name="signal">Receives the first <paramref name="count"/> samples.</param>
        /// <param name="count">How many samples are wanted, at most <see cref="Length"/>.</param>
        /// <param name="scratch"><see cref="ScratchBytes"/> of aligned memory.</param>
        public void Inverse(float* spectrum, float* signal, int count, float* scratch)
        {
            if (_across.Length == SixteenLanes.Count)
            {
                Inverse<SixteenLanes>(spectrum, signal, count, scratch);
            }
            else
            {
                Inverse<EightLanes>(spectrum, signal, count, scratch);
            }
        }

        private void Forward<TLanes>(float* signal, int count, float* spectrum, float* scratch) where TLanes : unmanaged, ILanes<TLanes>
        {
            int stride = LaneFft.Stride<TLanes>();
            int whole = count / stride;
            for (int m = 0; m < whole; m++)
            {
                TLanes.Deinterleave(signal + (m * stride), out var even, out var odd);
                even.Store(scratch + (m * stride));
                odd.Store(scratch + (m * stride) + TLanes.Count);
            }

            if (whole < _lanes.Length)
            {
                float* last = scratch + (whole * stride);
                new Span<float>(last, (_lanes.Length - whole) * stride).Clear();
                for (int t = whole * stride; t < count; t++)
                {
                    int m = (t / 2) - (whole * TLanes.Count);
                    last[m + ((t & 1) * TLanes.Count)] = signal[t];
                }
            }

            float* real = spectrum;
            float* imaginary = spectrum + _partStride;
            Complex<TLanes>(scratch, scratch + TLanes.Count, real, imaginary, scratch + (2 * _half));
            Unpack<TLanes>(real, imaginary);
        }

        private void Inverse<TLanes>(float* spectrum, float* signal, int count, float* scratch) where TLanes : unmanaged, ILanes<TLanes>
        {
            int stride = LaneFft.Stride<TLanes>();
            float* real = spectrum;
            float* imaginary = spectrum + _partStride;
            Pack<TLanes>(real, imaginary);
            for (int m = 0; m < _lanes.Length; m++)
            {
                TLanes.Load(real + (m * TLanes.Count)).Store(scratch + (m * stride));
                TLanes.Load(imaginary + (m * TLanes.Count)).Store(scratch + (m * stride) + TLanes.Count);
            }

            // The inverse of a complex transform is the forward one with real and imaginary parts exchanged.
            Complex<TLanes>(scratch + TLanes.Count, scratch, imaginary, real, scratch + (2 * _half));
            float factor = 1f / _half;
            var scale = TLanes.Create(factor);
            int whole = count / stride;
            for (int m = 0; m < whole; m++)
            {
                TLanes.Interleave(
                    TLanes.Load(real + (m * TLanes.Count)) * scale, TLanes.Load(imaginary + (m * TLanes.Count)) * scale, signal + (m * stride));
            }

            for (int t = whole * stride; t < count; t++)
            {
                signal[t] = ((t & 1) == 0 ? real : imaginary)[t / 2] * factor;
            }
        }

        // Complex transform: interleaved sub-sequences in lanes to natural order.
        private void Complex<TLanes>(float* laneReal, float* laneImaginary, float* real, float* imaginary, float* block)
            where TLanes : unmanaged, ILanes<TLanes>
        {
            int stride = LaneFft.Stride<TLanes>();
            int perLane = _lanes.Length;
            _lanes.Transform<TLanes>(laneReal, laneImaginary);
            float** rows = stackalloc float*[TLanes.Count];
            float* zeros = stackalloc float[TLanes.Count];
            new Span<float>(zeros, TLanes.Count).Clear();
            nint toImaginary = (nint)(laneImaginary - laneReal);
            for (int k0 = 0; k0 < perLane; k0 += TLanes.Count)
            {
                for (int k = k0; k < Math.Min(k0 + TLanes.Count, perLane); k++)
                {
                    float* at = laneReal + ((nint)_lanes.Positions[k] * stride);
                    var r = TLanes.Load(at);
                    var i = TLanes.Load(at + toImaginary);
                    var cos = TLanes.Load(_joinTwiddles + ((nint)k * stride));
                    var sin = TLanes.Load(_joinTwiddles + ((nint)k * stride) + TLanes.Count);
                    TLanes.FusedMultiplyAdd(r, cos, -(i * sin)).Store(at);
                    TLanes.FusedMultiplyAdd(r, sin, i * cos).Store(at + toImaginary);
                }

                for (int part = 0; part < 2; part++)
                {
                    for (int k = 0; k < TLanes.Count; k++)
                    {
                        rows[k] = k0 + k < perLane
                            ? laneReal + ((nint)_lanes.Positions[k0 + k] * stride) + (part * toImaginary)
                            : zeros;
                    }

                    TLanes.Transpose(rows, TLanes.Count, block + (part * TLanes.Count), stride);
                }

                _across.Transform<TLanes>(block, block + TLanes.Count);

                // Where there are fewer frequencies per lane than lanes, a store runs into the next one's place, which is written afterwards.
                for (int q = 0; q < TLanes.Count; q++)
                {
                    float* from = block + (_across.Positions[q] * stride);
                    nint to = k0 + ((nint)q * perLane);
                    TLanes.Load(from).Store(real + to);
                    TLanes.Load(from + TLanes.Count).Store(imaginary + to);
                }
            }
        }

        // Z of the packed signal to X of the real one, in place. With E = (Z[k] + conj Z[half−k]) / 2 and
        // O = −i (Z[k] − conj Z[half−k]) / 2: X[k] = E + w^k O and X[half−k] = conj(E − w^k O).
        private void Unpack<TLanes>(float* real, float* imaginary) where TLanes : unmanaged, ILanes<TLanes>
        {
            float zeroReal = real[0], zeroImaginary = imaginary[0];
            real[_half] = zeroReal;
            imaginary[_half] = zeroImaginary;
            Pairs<TLanes>(real, imaginary, sign: 1f);
            real[0] = zeroReal + zeroImaginary;
            imaginary[0] = 0;
            real[_half] = zeroReal - zeroImaginary;
            imaginary[_half] = 0;
        }

        // The same pairs backwards: Z[k] = E + i O with O = conj(w^k) (X[k] − conj X[half−k]) / 2.
        private void Pack<TLanes>(float* real, float* imaginary) where TLanes : unmanaged, ILanes<TLanes>
        {
            float first = real[0], last = real[_half];
            Pairs<TLanes>(real, imaginary, sign: -1f);
            real[0] = 0.5f * (first + last);
            imaginary[0] = 0.5f * (first - last);
        }

        private void Pairs<TLanes>(float* real, float* imaginary, float sign) where TLanes : unmanaged, ILanes<TLanes>
        {
            float* cos = _realTwiddles;
            float* sin = cos + (_half / 2) + Lanes.Count;
            int k = 1;
            var half = TLanes.Create(0.5f);
            var direction = TLanes.Create(sign);
            int quarter = _half / 2;
            for (; k + TLanes.Count <= quarter; k += TLanes.Count)
            {
                int mirror = _half - k - TLanes.Count + 1;
                var xr = TLanes.Load(real + k);
                var xi = TLanes.Load(imaginary + k);
                var yr = TLanes.Reverse(TLanes.Load(real + mirror));
                var yi = TLanes.Reverse(TLanes.Load(imaginary + mirror));
                var evenR = half * (xr + yr);
                var evenI = half * (xi - yi);
                // u = (X − conj Y) / 2; the odd part is −i w u forwards and +i conj(w) u backwards.
                var ur = half * (xr - yr);
                var ui = half * (xi + yi);
                var c = TLanes.Load(cos + k) * direction;
                var s = TLanes.Load(sin + k);
                var oddR = TLanes.FusedMultiplyAdd(ur, s, ui * c);
                var oddI = TLanes.FusedMultiplyAdd(ui, s, -(ur * c));
                (evenR + oddR).Store(real + k);
                (evenI + oddI).Store(imaginary + k);
                TLanes.Reverse(evenR - oddR).Store(real + mirror);
                TLanes.Reverse(oddI - evenI).Store(imaginary + mirror);
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
