using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Tests.Support;

/// <summary>Sizes of a convolution over maps, written "N H W Ci Co kH kW sH sW padH padW".</summary>
public sealed class MapSizes
{
    private readonly int[] _s;

    public MapSizes(string text) => _s = [.. text.Split(' ').Select(int.Parse)];

    public int Batch => _s[0];

    public int Height => _s[1];

    public int Width => _s[2];

    public int Inputs => _s[3];

    public int Outputs => _s[4];

    public int TapsHeight => _s[5];

    public int TapsWidth => _s[6];

    public int StrideHeight => _s[7];

    public int StrideWidth => _s[8];

    public int PaddingHeight => _s[9];

    public int PaddingWidth => _s[10];

    public int OutputHeight => ((Height + (2 * PaddingHeight) - TapsHeight) / StrideHeight) + 1;

    public int OutputWidth => ((Width + (2 * PaddingWidth) - TapsWidth) / StrideWidth) + 1;

    public Shape X => new(Batch, Height, Width, Inputs);

    public Shape Weight => new(Outputs, TapsHeight, TapsWidth, Inputs);

    public Shape Y => new(Batch, OutputHeight, OutputWidth, Outputs);

    public Tensor Forward(Tape? tape, Tensor x, Tensor weight, Tensor? bias, Tensor? output = null) =>
        Conv2d.Forward(tape, x, weight, bias, StrideHeight, StrideWidth, PaddingHeight, PaddingWidth, output);
}

/// <summary>Maps [N, H, W, C] in f64.</summary>
public sealed record Maps(int N, int H, int W, int C, double[] V)
{
    /// <summary>All elements of an utterance as one run of frames, for ops that see channels only.</summary>
    public Frames AsFrames => new(N, H * W, C, V);

    public Maps With(Frames frames) => this with { C = frames.C, V = frames.V };
}

/// <summary>Ops over maps [N, H, W, C] as plain f64 loops, never tuned.</summary>
public static class MapReference
{
    /// <summary>A convolution padded to keep the size at stride 1.</summary>
    public static Maps Conv2d(Maps x, double[] w, int outputs, int taps, int strideHeight, int strideWidth)
    {
        var sizes = new MapSizes($"{x.N} {x.H} {x.W} {x.C} {outputs} {taps} {taps} {strideHeight} {strideWidth} {taps / 2} {taps / 2}");
        return new Maps(x.N, sizes.OutputHeight, sizes.OutputWidth, outputs, Conv2d(sizes, x.V, w, null));
    }

    public static double[] SelfAttentivePool(Maps x, double[] weight, double[] bias, double[] attention)
    {
        var frames = Frames.Make(x.N, x.W, x.C, (n, t, c) => Enumerable.Range(0, x.H).Sum(h => x.V[(((((n * x.H) + h) * x.W) + t) * x.C) + c]) / x.H);
        var hidden = EncoderReference.Map(EncoderReference.Linear(frames, weight, bias), Math.Tanh);
        return Frames.Make(x.N, 1, x.C, (n, _, c) =>
        {
            double[] weights = [.. Enumerable.Range(0, x.W).Select(t => Math.Exp(Enumerable.Range(0, hidden.C).Sum(d => hidden[n, t, d] * attention[d])))];
            return Enumerable.Range(0, x.W).Sum(t => weights[t] * frames[n, t, c]) / weights.Sum();
        }).V;
    }

    /// <summary>Means, then deviations √max(variance, 1e-5) over time, of every channel and within it every row, as PyTorch flattens [C, H].</summary>
    public static double[] FlattenedStatistics(Maps x)
    {
        var flat = Frames.Make(x.N, x.W, x.C * x.H, (n, t, i) => x.V[(((((n * x.H) + (i % x.H)) * x.W) + t) * x.C) + (i / x.H)]);
        return EncoderReference.StatsPool(flat, 1e-5, PoolVariance.BiasedClamped).V;
    }

    public static double[] Conv2d(MapSizes s, double[] x, double[] w, double[]? bias)
    {
        var y = new double[s.Y.Count];
        for (int i = 0; bias is not null && i < y.Length; i++)
        {
            y[i] = bias[i % s.Outputs];
        }

        Visit(s, (at, tap, to) => y[to] += x[at] * w[tap]);
        return y;
    }

    public static (double[] Dx, double[] Dw) Conv2dBackward(MapSizes s, double[] x, double[] w, double[] dy)
    {
        var (dx, dw) = (new double[x.Length], new double[w.Length]);
        Visit(s, (at, tap, to) =>
        {
            dx[at] += dy[to] * w[tap];
            dw[tap] += dy[to] * x[at];
        });
        return (dx, dw);
    }

    // Every product of the sum: index into x, into the weight, into y.
    private static void Visit(MapSizes s, Action<int, int, int> visit)
    {
        for (int to = 0; to < s.Y.Count; to++)
        {
            int o = to % s.Outputs, column = to / s.Outputs % s.OutputWidth, row = to / s.Outputs / s.OutputWidth % s.OutputHeight;
            int item = to / s.Outputs / s.OutputWidth / s.OutputHeight;
            for (int p = 0; p < s.TapsHeight; p++)
            {
                for (int q = 0; q < s.TapsWidth; q++)
                {
                    int h = (row * s.StrideHeight) + p - s.PaddingHeight, v = (column * s.StrideWidth) + q - s.PaddingWidth;
                    if (h < 0 || h >= s.Height || v < 0 || v >= s.Width)
                    {
                        continue;
                    }

                    for (int c = 0; c < s.Inputs; c++)
                    {
                        visit((((((item * s.Height) + h) * s.Width) + v) * s.Inputs) + c, (((((o * s.TapsHeight) + p) * s.TapsWidth) + q) * s.Inputs) + c, to);
                    }
                }
            }
        }
    }
}
