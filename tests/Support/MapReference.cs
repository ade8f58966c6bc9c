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

/// <summary>Ops over maps [N, H, W, C] as plain f64 loops, never tuned.</summary>
public static class MapReference
{
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
