using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Numerics;

/// <summary>Minimal filtering itself, with both micro-kernels, also where <see cref="MinimalFilter.Pays"/> would not choose it.</summary>
public unsafe class MinimalFilterTests
{
    // Elements between rows of frames, results and gradients beyond their channels.
    private const int Gap = 3;

    // Items, channels in and out. Around a tile (12 pairs by 32, 6 by 16), a vector and a depth block (384).
    private static readonly (int Items, int Inputs, int Outputs)[] Sizes = [(1, 1, 1), (3, 17, 33), (2, 5, 70), (1, 390, 12)];

    private static IEnumerable<TestCaseData> Cases() =>
        from dilation in Enumerable.Range(1, 4)
        from size in Sizes
        from mirrored in new[] { false, true }
        select new TestCaseData(dilation, size.Items, size.Inputs, size.Outputs, mirrored);

    [TestCaseSource(nameof(Cases))]
    public void Frames_and_taps_match_f64_sums(int dilation, int items, int inputs, int outputs, bool mirrored)
    {
        var edge = mirrored ? EdgeRows.Reflect : EdgeRows.Zero;
        using var device = new CpuDevice(2);

        // No pair with a second frame, some, all; a mirrored signal must be longer than its border.
        foreach (int frames in new[] { 1, 2, 3, (2 * dilation) - 1, 2 * dilation, (2 * dilation) + 1, 13, 24 })
        {
            foreach (int pad in new[] { 0, dilation })
            {
                if (frames + (2 * (dilation - pad)) > (mirrored ? pad : 0))
                {
                    Compare<GemmKernel512>(device, new Problem(items, frames, inputs, outputs, dilation, pad, edge), accumulate: frames % 2 == 0);
                    Compare<GemmKernel256>(device, new Problem(items, frames, inputs, outputs, dilation, pad, edge), accumulate: frames % 2 == 1);
                }
            }
        }
    }

    // More packed taps, or pairs and channels, than are kept at once.
    [TestCase(1, 9, 1400, 420)]
    [TestCase(2, 768, 1400, 13)]
    public void Operands_in_several_parts_match_f64_sums(int items, int frames, int inputs, int outputs)
    {
        using var device = new CpuDevice(2);
        Compare<GemmKernel512>(device, new Problem(items, frames, inputs, outputs, 2, 0, EdgeRows.Zero), accumulate: true);
    }

    // Windows read backwards in time, as for the gradient by the frames: forwards they meet the last tap first.
    [Test]
    public void Windows_backwards_in_time_match_f64_sums([Values(1, 3)] int dilation)
    {
        var p = new Problem(2, 11, 19, 35, dilation, 1, EdgeRows.Zero, Backwards: true);
        using var device = new CpuDevice(1);
        var (x, w) = (Samples.Constant(device, new Shape(p.X.Length), p.X), Samples.Constant(device, new Shape(p.W.Length), p.W));
        var y = device.Workspace.Rent(new Shape(p.Items * p.Frames, p.Outputs));
        var windows = p.Windows(x.Data, p.Inputs);
        Assert.That(windows.Step, Is.Negative);
        MinimalFilter.Correlate(device, windows.Reversed, p.Tap(w.Data, 2), -p.Inputs, y.Data, p.Outputs, accumulate: false);
        double[] want = p.Correlate(p.X, p.W);
        Close.Assert(Samples.Read(y), want, Limit(want, 3 * p.Inputs), "results");
    }

    // The last with more packed taps than are kept at once: its later columns meet the epilogue in a part of their own.
    [TestCase(1, 19, 35)]
    [TestCase(3, 19, 35)]
    [TestCase(2, 1400, 420)]
    public void Sums_meet_the_epilogue_of_their_column(int dilation, int inputs, int outputs)
    {
        var p = new Problem(1, 9, inputs, outputs, dilation, 0, EdgeRows.Zero);
        Assert.That(MinimalFilter.Products * inputs * outputs > Gemm.MaximumPacked, Is.EqualTo(inputs == 1400), "taps in several parts");
        using var device = new CpuDevice(1);
        float[] bias = Samples.Normal(5, outputs), mean = Samples.Normal(6, outputs), scale = Samples.Normal(7, outputs), shift = Samples.Normal(8, outputs);
        var epilogue = new ProductEpilogue
        {
            Bias = Samples.Constant(device, new Shape(outputs), bias).Data,
            Mean = Samples.Constant(device, new Shape(outputs), mean).Data,
            Scale = Samples.Constant(device, new Shape(outputs), scale).Data,
            Shift = Samples.Constant(device, new Shape(outputs), shift).Data,
            Slope = 0.1f,
        };
        float[] inputX = p.X, inputW = p.W;
        var (x, w) = (Samples.Constant(device, new Shape(inputX.Length), inputX), Samples.Constant(device, new Shape(inputW.Length), inputW));
        var y = device.Workspace.Rent(new Shape(p.Frames, outputs));
        MinimalFilter.Correlate(device, p.Windows(x.Data, inputs), p.Tap(w.Data, 0), inputs, y.Data, outputs, accumulate: false, epilogue);
        double[] want = p.Correlate(inputX, inputW);
        double limit = Limit(want, 3 * inputs) * scale.Max(Math.Abs);
        for (int i = 0; i < want.Length; i++)
        {
            int o = i % outputs;
            double value = want[i] + bias[o];
            want[i] = (((value > 0 ? value : 0.1f * value) - mean[o]) * scale[o]) + shift[o];
        }

        Close.Assert(Samples.Read(y), want, limit, "results");
    }

    [Test]
    public void Bits_do_not_depend_on_the_thread_count()
    {
        var p = new Problem(3, 61, 70, 45, 3, 3, EdgeRows.Reflect);
        using var one = new CpuDevice(1);
        var (y, dw) = p.Run<GemmKernel512>(one, accumulate: false);
        foreach (int threads in new[] { 2, 3 })
        {
            using var several = new CpuDevice(threads);
            var (sameY, sameDw) = p.Run<GemmKernel512>(several, accumulate: false);
            Assert.That(sameY, Is.EqualTo(y));
            Assert.That(sameDw, Is.EqualTo(dw));
        }
    }

    // Taps, channels in and out, items, frames, dilation: the smallest that pay, and each condition missed alone.
    [TestCase(3, 64, 64, 1, 32, 2, true)]
    [TestCase(3, 512, 512, 64, 192, 2, true)]
    [TestCase(1, 64, 64, 1, 32, 2, false)]
    [TestCase(5, 64, 64, 1, 32, 2, false)]
    [TestCase(3, 63, 64, 1, 32, 2, false)]
    [TestCase(3, 64, 63, 1, 32, 2, false)]
    [TestCase(3, 64, 64, 100, 31, 2, false)]
    [TestCase(3, 64, 64, 0, 32, 2, false)]
    [TestCase(3, 64, 64, 1, 32, 19, true)]
    [TestCase(3, 64, 64, 1, 32, 20, false)]
    public void It_is_chosen_where_it_pays(int taps, int inputs, int outputs, int items, int frames, int dilation, bool pays)
    {
        var windows = new MatrixView { Rows = items * frames, Inner = frames, Segments = taps, SegmentWidth = inputs, Step = dilation };
        Assert.That(MinimalFilter.Pays(windows, outputs), Is.EqualTo(pays));
        Assert.That(MinimalFilter.Pays(windows.Reversed, outputs), Is.EqualTo(pays));
    }

    // Activations as ReLU leaves them with weights that keep their variance, and activations far from zero.
    [TestCase(0f, true)]
    [TestCase(30f, false)]
    public void Its_errors_are_no_larger_than_twice_those_of_the_direct_product(float mean, bool relu)
    {
        var p = new Problem(1, 64, 256, 256, 2, 0, EdgeRows.Zero);
        float[] x = Samples.Normal(1, p.InputFrames * p.Inputs), w = Samples.Normal(2, p.Outputs * 3 * p.Inputs, MathF.Sqrt(2f / (3 * p.Inputs)));
        foreach (ref float value in x.AsSpan())
        {
            value = relu ? MathF.Sqrt(2) * Math.Max(value, 0f) : mean + value;
        }

        using var device = new CpuDevice(2);
        var (tx, tw) = (Samples.Constant(device, new Shape(x.Length), x), Samples.Constant(device, new Shape(w.Length), w));
        var y = device.Workspace.Rent(new Shape(p.Frames, p.Outputs));
        var windows = p.Windows(tx.Data, p.Inputs);
        double[] want = p.Correlate(x, w);
        Gemm.Multiply(device, windows, MatrixView.Of(tw.Data, p.Outputs, 3 * p.Inputs, 3 * p.Inputs).Transposed, y.Data, p.Outputs, accumulate: false);
        double direct = Deviation(Samples.Read(y), want);
        MinimalFilter.Correlate(device, windows, p.Tap(tw.Data, 0), p.Inputs, y.Data, p.Outputs, accumulate: false);
        Assert.That(Deviation(Samples.Read(y), want), Is.LessThan(2 * direct));
    }

    private static double Deviation(float[] got, double[] want) => Math.Sqrt(got.Zip(want, (g, w) => (g - w) * (g - w)).Average());

    private static void Compare<TKernel>(CpuDevice device, Problem p, bool accumulate)
        where TKernel : struct, IGemmKernel
    {
        device.Workspace.Reset();
        var (y, dw) = p.Run<TKernel>(device, accumulate);
        double[] wantY = p.Correlate(p.X, p.W), wantDw = p.ByTaps(p.X, p.Dy);
        for (int i = 0; i < wantY.Length && accumulate; i++)
        {
            wantY[i] += p.Start;
        }

        for (int i = 0; i < wantDw.Length && accumulate; i++)
        {
            wantDw[i] += p.Start;
        }

        Close.Assert(y, wantY, Limit(wantY, 3 * p.Inputs), $"{typeof(TKernel).Name}, {p}: results");
        Close.Assert(dw, wantDw, Limit(wantDw, p.Items * p.Frames), $"{typeof(TKernel).Name}, {p}: gradient by the taps");
    }

    // A sum's limit, of the largest magnitude or, where few terms cancel, of the terms'.
    private static double Limit(double[] want, int terms) => Math.Max(4, want.Max(Math.Abs)) * Tolerance.Reduction(terms);

    private sealed record Problem(int Items, int Frames, int Inputs, int Outputs, int Dilation, int Pad, EdgeRows Edge, bool Backwards = false)
    {
        public int InputFrames => Frames + (2 * (Dilation - Pad));

        public float Start => 0.5f;

        public float[] X => Samples.Normal(1, Items * InputFrames * Inputs);

        public float[] W => Samples.Normal(2, Outputs * 3 * Inputs);

        public float[] Dy => Samples.Normal(3, Items * Frames * Outputs);

        public MatrixView Windows(float* x, int stride) => new()
        {
            Data = x,
            Rows = Items * Frames,
            Inner = Frames,
            OuterStride = (nint)InputFrames * stride,
            RowStride = stride,
            Segments = 3,
            SegmentWidth = Inputs,
            Step = Backwards ? -Dilation : Dilation,
            Shift = (Backwards ? 2 * Dilation : 0) - Pad,
            Positions = InputFrames,
            Edge = Edge,
        };

        public MatrixView Tap(float* w, int tap) => MatrixView.Of(w + (tap * Inputs), Outputs, Inputs, 3 * Inputs).Transposed;

        // Correlation and gradient by the taps, from and to channel views. What lies between their rows must not be read or written.
        public (float[] Y, float[] Dw) Run<TKernel>(CpuDevice device, bool accumulate)
            where TKernel : struct, IGemmKernel
        {
            var x = View(device, Items * InputFrames, Inputs, X);
            var dy = View(device, Items * Frames, Outputs, Dy);
            var y = View(device, Items * Frames, Outputs, Filled(Items * Frames * Outputs));
            var w = Samples.Constant(device, new Shape(Outputs, 3, Inputs), W);
            var dw = Samples.Constant(device, new Shape(Outputs, 3, Inputs), Filled(Outputs * 3 * Inputs));
            var windows = Windows(x.Data, x.RowStride);
            MinimalFilter.Run<TKernel>(device, windows, Tap(w.Data, 0), Inputs, y.Data, y.RowStride, accumulate, default);
            MinimalFilterGradient.Run<TKernel>(device, windows, dy.Data, dy.RowStride, Outputs, dw.Data, accumulate);
            for (int row = 0; row < Items * Frames; row++)
            {
                Assert.That(float.IsNaN(y.Data[(row * y.RowStride) + Outputs]), $"{this}: something was written beside row {row}");
            }

            return (Samples.Read(y), Samples.Read(dw));
        }

        public double[] Correlate(float[] x, float[] w)
        {
            var y = new double[Items * Frames * Outputs];
            Each((row, tap, from) =>
            {
                for (int o = 0; o < Outputs; o++)
                {
                    double sum = 0;
                    for (int i = 0; i < Inputs; i++)
                    {
                        sum += (double)x[(from * Inputs) + i] * w[(((o * 3) + tap) * Inputs) + i];
                    }

                    y[(row * Outputs) + o] += sum;
                }
            });
            return y;
        }

        public double[] ByTaps(float[] x, float[] dy)
        {
            var dw = new double[Outputs * 3 * Inputs];
            Each((row, tap, from) =>
            {
                for (int o = 0; o < Outputs; o++)
                {
                    double gradient = dy[(row * Outputs) + o];
                    for (int i = 0; i < Inputs; i++)
                    {
                        dw[(((o * 3) + tap) * Inputs) + i] += gradient * x[(from * Inputs) + i];
                    }
                }
            });
            return dw;
        }

        private static Tensor View(CpuDevice device, int rows, int channels, float[] values)
        {
            var whole = device.Workspace.Rent(new Shape(rows, channels + Gap));
            device.Fill(whole, float.NaN);
            var view = whole.Channels(0, channels);
            view.CopyFrom(values);
            return view;
        }

        private float[] Filled(int count)
        {
            var values = new float[count];
            Array.Fill(values, Start);
            return values;
        }

        // Every frame that a tap reads for a row.
        private void Each(Action<int, int, int> visit)
        {
            for (int row = 0; row < Items * Frames; row++)
            {
                for (int tap = 0; tap < 3; tap++)
                {
                    int at = (row % Frames) + ((Backwards ? 2 - tap : tap) * Dilation) - Pad;
                    if (at < 0 || at >= InputFrames)
                    {
                        if (Edge == EdgeRows.Zero)
                        {
                            continue;
                        }

                        at = at < 0 ? -at : (2 * (InputFrames - 1)) - at;
                    }

                    visit(row, tap, (row / Frames * InputFrames) + at);
                }
            }
        }
    }
}
