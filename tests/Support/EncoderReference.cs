using Spk.Engine.Ops.Encoder;

namespace Spk.Tests.Support;

/// <summary>Activations [N, T, C] in f64.</summary>
public sealed record Frames(int N, int T, int C, double[] V)
{
    public Frames(int n, int t, int c) : this(n, t, c, new double[n * t * c]) { }

    public double this[int n, int t, int c]
    {
        get => V[(((n * T) + t) * C) + c];
        set => V[(((n * T) + t) * C) + c] = value;
    }

    public static Frames Make(int n, int t, int c, Func<int, int, int, double> value)
    {
        var frames = new Frames(n, t, c);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < t; j++)
            {
                for (int k = 0; k < c; k++)
                {
                    frames[i, j, k] = value(i, j, k);
                }
            }
        }

        return frames;
    }

    public Frames Channels(int start, int count) => Make(N, T, count, (n, t, c) => this[n, t, start + c]);

    public static Frames Concat(params Frames[] parts) => Make(parts[0].N, parts[0].T, parts.Sum(p => p.C), (n, t, c) =>
    {
        foreach (var part in parts)
        {
            if (c < part.C)
            {
                return part[n, t, c];
            }

            c -= part.C;
        }

        throw new InvalidOperationException();
    });

    public static Frames operator +(Frames a, Frames b) => Make(a.N, a.T, a.C, (n, t, c) => a[n, t, c] + b[n, t, c]);
}

/// <summary>Encoder ops as plain f64 loops, never tuned.</summary>
public static class EncoderReference
{
    public static double Relu(double x) => x > 0 ? x : 0;

    public static double LeakyRelu(double x) => x > 0 ? x : 0.01 * x;

    public static Frames Map(Frames x, Func<double, double> f) => Frames.Make(x.N, x.T, x.C, (n, t, c) => f(x[n, t, c]));

    /// <summary>Training batch norm of f(x); null gamma and beta are 1 and 0.</summary>
    public static Frames BatchNorm(Frames x, double[]? gamma, double[]? beta, Func<double, double>? before = null, double eps = 1e-5)
    {
        var a = before is null ? x : Map(x, before);
        int rows = a.N * a.T;
        var (mean, variance) = (new double[a.C], new double[a.C]);
        for (int i = 0; i < a.V.Length; i++)
        {
            mean[i % a.C] += a.V[i] / rows;
        }

        for (int i = 0; i < a.V.Length; i++)
        {
            double d = a.V[i] - mean[i % a.C];
            variance[i % a.C] += d * d / rows;
        }

        return Frames.Make(a.N, a.T, a.C, (n, t, c) =>
            ((a[n, t, c] - mean[c]) / Math.Sqrt(variance[c] + eps) * (gamma?[c] ?? 1)) + (beta?[c] ?? 0));
    }

    /// <summary>Weight [Co, k, Ci].</summary>
    public static Frames Conv1d(Frames x, double[] weight, double[] bias, int taps, int dilation = 1, Padding padding = Padding.Valid)
    {
        int pad = padding == Padding.Valid ? 0 : dilation * (taps - 1) / 2;
        int frames = x.T + (2 * pad) - (dilation * (taps - 1));
        return Frames.Make(x.N, frames, bias.Length, (n, t, o) =>
        {
            double sum = bias[o];
            for (int k = 0; k < taps; k++)
            {
                int at = t + (k * dilation) - pad;
                if (at < 0 || at >= x.T)
                {
                    if (padding == Padding.Zero)
                    {
                        continue;
                    }

                    at = at < 0 ? -at : (2 * (x.T - 1)) - at;
                }

                for (int i = 0; i < x.C; i++)
                {
                    sum += weight[(((o * taps) + k) * x.C) + i] * x[n, at, i];
                }
            }

            return sum;
        });
    }

    public static Frames Linear(Frames x, double[] weight, double[] bias) => Conv1d(x, weight, bias, 1);

    /// <summary>Means, then deviations, as one frame.</summary>
    public static Frames StatsPool(Frames x, double eps, PoolVariance kind) => Frames.Make(x.N, 1, 2 * x.C, (n, _, c) =>
    {
        int channel = c % x.C;
        double mean = 0, variance = 0;
        for (int t = 0; t < x.T; t++)
        {
            mean += x[n, t, channel] / x.T;
        }

        if (c < x.C)
        {
            return mean;
        }

        int over = kind == PoolVariance.UnbiasedPlusEps ? x.T - 1 : x.T;
        for (int t = 0; t < x.T; t++)
        {
            variance += (x[n, t, channel] - mean) * (x[n, t, channel] - mean) / over;
        }

        return Math.Sqrt(kind == PoolVariance.UnbiasedPlusEps ? variance + eps : Math.Max(variance, eps));
    });

    public static Frames SqueezeExcite(Frames x, double[] w1, double[] b1, double[] w2, double[] b2)
    {
        var means = Frames.Make(x.N, 1, x.C, (n, _, c) => Enumerable.Range(0, x.T).Sum(t => x[n, t, c]) / x.T);
        var gates = Map(Linear(Map(Linear(means, w1, b1), Relu), w2, b2), v => 1 / (1 + Math.Exp(-v)));
        return Frames.Make(x.N, x.T, x.C, (n, t, c) => x[n, t, c] * gates[n, 0, c]);
    }

    /// <summary>gamma and beta null: no rectifier and no norm before tanh.</summary>
    public static Frames AttentiveStatsPool(
        Frames x, double[] a, double[] aBias, double[] b, double[] bBias, double[]? gamma, double[]? beta, double eps, PoolVariance context)
    {
        var global = StatsPool(x, eps, context);
        var joined = Frames.Make(x.N, x.T, 3 * x.C, (n, t, c) => c < x.C ? x[n, t, c] : global[n, 0, c - x.C]);
        var hidden = Linear(joined, a, aBias);
        hidden = gamma is null ? hidden : BatchNorm(hidden, gamma, beta, Relu);
        return AttentivePool(x, Linear(Map(hidden, Math.Tanh), b, bBias), eps);
    }

    /// <summary>Moments under the softmax of scores over time.</summary>
    public static Frames AttentivePool(Frames x, Frames scores, double eps) => Frames.Make(x.N, 1, 2 * x.C, (n, _, c) =>
    {
        int channel = c % x.C;
        double max = Enumerable.Range(0, x.T).Max(t => scores[n, t, channel]);
        double[] weights = [.. Enumerable.Range(0, x.T).Select(t => Math.Exp(scores[n, t, channel] - max))];
        double sum = weights.Sum();
        double mean = Enumerable.Range(0, x.T).Sum(t => weights[t] / sum * x[n, t, channel]);
        if (c < x.C)
        {
            return mean;
        }

        double variance = Enumerable.Range(0, x.T).Sum(t => weights[t] / sum * (x[n, t, channel] - mean) * (x[n, t, channel] - mean));
        return Math.Sqrt(Math.Max(variance, eps));
    });

    /// <summary>Groups of channels, f(group index, input) for all but the untouched one.</summary>
    public static Frames Res2(Frames x, int groups, bool firstUntouched, Func<int, Frames, Frames> f)
    {
        int width = x.C / groups;
        var parts = new Frames[groups];
        int untouched = firstUntouched ? 0 : groups - 1;
        parts[untouched] = x.Channels(untouched * width, width);
        Frames? before = null;
        for (int i = 0; i < groups - 1; i++)
        {
            int at = firstUntouched ? i + 1 : i;
            var group = x.Channels(at * width, width);
            before = f(i, before is null ? group : group + before);
            parts[at] = before;
        }

        return Frames.Concat(parts);
    }
}
